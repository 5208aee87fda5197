import pytest
import torch

from dimr.data.synthetic.people import SyntheticPeople
from dimr.train.stage2 import ALONE, BesideIuvs, GeometrySamples, batch_to_target, split_alone


def test_targets_count_every_joint():
    batch = {
        "rotmats": torch.eye(3).expand(2, 24, 3, 3),
        "betas": torch.zeros(2, 10),
        "joints_m": torch.rand(2, 24, 3),
        "joints_norm": torch.rand(2, 24, 2),
    }
    target = batch_to_target(batch)
    assert target.weight_smpl.tolist() == [1, 1]
    assert target.weight_3d.shape == target.weight_2d.shape == (2, 24)


class Rows(torch.utils.data.Dataset):
    def __init__(self, name):
        self.name = name

    def __getitem__(self, index):
        return {self.name: torch.tensor(index), "mask": torch.tensor(-index)}


def test_iuvs_alone_lie_beside_samples_and_come_apart_again():
    both = BesideIuvs(Rows("image"), Rows("uv"))[3]
    assert set(both) == {"image", "mask", ALONE + "uv", ALONE + "mask"}
    samples, alone = split_alone(both)
    assert (samples, alone) == ({"image": 3, "mask": -3}, {"uv": 3, "mask": -3})


def test_a_batch_of_samples_has_nothing_alone():
    assert split_alone({"mask": torch.ones(1)})[1] == {}


@pytest.mark.parametrize(("share", "others"), [(0.0, False), (1.0, True)])
def test_mistaken_people_have_pixels_of_somebody_else(open_body, open_atlas, share, others):
    people = SyntheticPeople(open_body, open_atlas)
    plain = GeometrySamples(people, 0.0, 0.0)
    mistaken = GeometrySamples(people, 0.0, share)
    same = [(plain[k]["mask"] == mistaken[k]["mask"]).all() for k in range(8)]
    assert all(same) is not others
    assert all((plain[k]["rotmats"] == mistaken[k]["rotmats"]).all() for k in range(8))
