import cv2
import numpy as np
import pytest
import torch

from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.image.crop import norm_to_crop
from dimr.train.stage2 import (
    ALONE,
    OCCLUDED,
    BesideIuvs,
    GeometrySamples,
    PictureSamples,
    Stage2Task,
    batch_to_target,
    split_alone,
)


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


ALONE_AND_WHOLE = SyntheticConfig(
    others=(1.0, 0.0, 0.0, 0.0), objects=(1.0, 0.0, 0.0, 0.0), close_up=0.0
)


class TestPictureSamples:
    def test_labels_are_those_of_the_crop(self, open_body, open_atlas):
        """Joints lie on the visible person, whose pixels have places on the atlas."""
        samples = PictureSamples(SyntheticPeople(open_body, open_atlas, config=ALONE_AND_WHOLE))
        for index in range(6):
            sample = samples[index]
            mask = sample["mask"]
            assert sample["image"].shape == (192, 192, 3) and mask.shape == (96, 96)
            assert (sample["uv"].any(-1) <= mask).all() and mask.sum() > 300
            away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
            x, y = np.rint(norm_to_crop(sample["joints_norm"], 96)).astype(int).T
            inside = (x >= 0) & (x < 96) & (y >= 0) & (y < 96)
            assert inside.mean() > 0.8
            assert np.median(away[y[inside], x[inside]]) == 0
            assert away[y[inside], x[inside]].max() < 9

    def test_twins_share_the_crop_and_hide_some_of_it(self, open_body, open_atlas):
        people = SyntheticPeople(open_body, open_atlas, config=ALONE_AND_WHOLE)
        sample = PictureSamples(people, twins=True)[1]
        mask, twin = sample["mask"], sample[OCCLUDED + "mask"]
        assert (twin <= mask).all() and 0 < twin.sum() < mask.sum()
        same = (sample["image"] == sample[OCCLUDED + "image"]).all(-1)
        assert 0.1 < same.mean() < 1
        assert same[::2, ::2][twin].mean() > 0.9
        assert same[::2, ::2][mask & ~twin].mean() < 0.1

    def test_twins_leave_the_originals_as_they_are(self, open_body, open_atlas):
        people = SyntheticPeople(open_body, open_atlas)
        plain, both = PictureSamples(people)[3], PictureSamples(people, twins=True)[3]
        assert all(np.array_equal(plain[name], both[name]) for name in plain)


@pytest.mark.parametrize("fast", [True, False])
def test_heads_learn_in_bfloat16_where_that_is_fast(monkeypatch, fast):
    class Asked(Exception):
        pass

    def regress(*asked):
        raise Asked(torch.is_autocast_enabled("cpu"))

    monkeypatch.setattr("dimr.train.precision.bfloat16_is_fast", lambda kind: fast)
    monkeypatch.setattr("dimr.train.stage2.batch_to_target", lambda batch: None)
    task = Stage2Task.__new__(Stage2Task)
    task.model, task.twins, task.regress = None, False, regress
    with pytest.raises(Asked, match=str(fast)):
        task.loss({"mask": torch.zeros(2, 4, 4, dtype=torch.bool)}, 0)
