from collections.abc import Callable

import numpy as np
import pytest
import torch

from dimr.body.camera import Lens, crop_lens, default_camera
from dimr.body.model import BodyModel
from dimr.correspondence.people import mask_to_detection
from dimr.data.synthetic.people import CropSample, DenseLabels, Occlusion, PeopleLabels
from dimr.data.synthetic.synthocc import SynthOcc
from dimr.evaluate.synthetic import (
    PersonErrors,
    blind_mpjpe_mm,
    choose_detection,
    group_means,
    mask_iou,
    sample_errors,
    view_of,
)
from dimr.predict import load
from dimr.surface.atlas import load_atlas
from dimr.types import Iuv, Regression


def one_target(box):
    """A sample of which only the picture's size and the target's box matter."""
    grid = np.zeros((32, 32), np.float32)
    labels = DenseLabels(
        grid.astype(np.int8),
        grid.astype(np.uint8),
        np.zeros((32, 32, 2), np.float32),
        np.zeros((32, 32, 3), np.float32),
    )
    people = PeopleLabels(
        np.array([box], np.float32), np.zeros((1, 2), np.float32), np.ones(1, np.float32)
    )
    return CropSample(
        image=np.zeros((64, 64, 3), np.uint8),
        person_id=np.zeros((64, 64), np.int8),
        labels=labels,
        people=people,
        rotmats=np.zeros((24, 3, 3), np.float32),
        betas=np.zeros(10, np.float32),
        joints_m=np.zeros((24, 3), np.float32),
        camera=np.zeros(3, np.float32),
        keypoints_norm=np.zeros((24, 2), np.float32),
        occlusion=Occlusion(grid.astype(np.int8), np.ones(25, np.float32), 1.0),
    )


def found_at(x0, y0, x1, y1, score=0.5):
    mask = np.zeros((64, 64), bool)
    mask[y0:y1, x0:x1] = True
    return mask_to_detection(score, mask)


def test_mask_iou_by_hand():
    one, other = np.array([[True, True, False]]), np.array([[False, True, True]])
    assert mask_iou(one, other) == pytest.approx(1 / 3)
    assert mask_iou(~one & one, ~one & one) == 1


class TestChooseDetection:
    def test_the_person_at_the_target_is_chosen_not_the_surest(self):
        target = one_target((10, 10, 30, 50))
        right, surer = found_at(11, 10, 31, 50, 0.2), found_at(40, 10, 60, 50, 0.9)
        assert choose_detection([surer, right], target) is right

    def test_where_nobody_fits_the_target_box_is_the_mark(self):
        target = found_at(11, 10, 31, 50)
        mark = choose_detection([found_at(40, 10, 60, 50)], one_target(target.box_px))
        assert mark.score == 0
        np.testing.assert_array_equal(mark.mask, target.mask)


def test_groups_partition_people_by_what_is_seen():
    errors = [
        PersonErrors(1.0, 0.9, 10, 5, 12, 0.9),
        PersonErrors(0.7, 1.0, 20, 10, 22, 0.8),
        PersonErrors(0.6, 0.0, 40, 20, 42, 0.6),
        PersonErrors(0.1, -1.0, 90, 50, 99, 0.3),
    ]
    means = group_means(errors)
    assert {name: number for name, (number, _) in means.items()} == {
        "all": 4,
        "visible >= 90 %": 1,
        "visible 50-90 %": 2,
        "visible < 50 %": 1,
        "facing the camera": 2,
        "facing elsewhere": 2,
    }
    assert means["visible 50-90 %"][1].mpjpe_mm == 30
    assert means["all"][1].mpjpe_mm == 40
    assert means["facing elsewhere"][1].mpjpe_mm == 65


def test_blind_error_of_equal_people_is_zero():
    pose = torch.randn(1, 24, 3)
    assert blind_mpjpe_mm(pose + torch.randn(7, 1, 3)) == pytest.approx(0, abs=1e-3)
    assert blind_mpjpe_mm(torch.randn(50, 24, 3)) > 500


@pytest.fixture(scope="module")
def model():
    return load()


class TestSampleErrors:
    """Through the shipped model: what is measured, not how good it is."""

    sample = SynthOcc(BodyModel.load(), load_atlas()).crop("clean", 0)

    def test_true_iuv_needs_nobody_to_be_found(self, model, monkeypatch):
        monkeypatch.setattr(model.stage1, "find_people", lambda picture: 1 / 0)
        errors = sample_errors(self.sample, model.stage1, model.stage2, model.body, ("gt",))
        assert list(errors) == ["gt"] and errors["gt"].mask_iou == 1
        assert 10 < errors["gt"].mpjpe_mm < 600

    def test_refinement_comes_before_the_errors(self, model):
        seen, lenses = [], []

        def to_truth(
            regress: Callable[[Iuv], Regression],
            iuv: Iuv,
            landmarks: torch.Tensor | None,
            lens: Lens,
        ) -> Regression:
            seen.append((iuv.mask.shape, landmarks is None))
            lenses.append(lens)
            regression = regress(iuv)
            half = Iuv(iuv.mask & (np.arange(96) < 48), iuv.uv)
            assert not torch.equal(regress(half).rotmats, regression.rotmats)
            return Regression(
                torch.from_numpy(self.sample.rotmats)[None],
                torch.from_numpy(self.sample.betas)[None],
                regression.camera,
            )

        errors = sample_errors(
            self.sample, model.stage1, model.stage2, model.body, ("gt", "predicted"), to_truth
        )
        # landmarks come with stage 1's IUV alone, and the network is sure of this person
        assert seen == [((96, 96), True), ((96, 96), False)]
        side = self.sample.image.shape[0]
        view = view_of(self.sample, model.stage1, "predicted")
        assert lenses[1] == crop_lens(default_camera(side, side), view.crop)
        assert errors["gt"].mpjpe_mm < 1e-2 and errors["predicted"].mpjpe_mm < 1e-2

    def test_a_perfect_regression_has_no_error(self, model, monkeypatch):
        answer = Regression(
            torch.from_numpy(self.sample.rotmats)[None],
            torch.from_numpy(self.sample.betas)[None],
            torch.tensor([[1.0, 0.0, 0.0]]),
        )
        monkeypatch.setattr(model.stage2, "regress_from", lambda *inputs: answer)
        errors = sample_errors(self.sample, model.stage1, model.stage2, model.body)
        for each in errors.values():
            assert each.mpjpe_mm < 1e-2 and each.pve_mm < 1e-2
