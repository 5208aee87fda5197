import functools

import numpy as np
import pytest

from dimr.body.model import BodyModel
from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.evaluate import correspondence
from dimr.evaluate.correspondence import SceneResult, average_precision
from dimr.evaluate.geodesic import Geodesics
from dimr.image.crop import CORRESPONDENCE_STRIDE, box_to_crop, crop_matrix, crop_to_full
from dimr.surface.atlas import load_atlas
from dimr.surface.iuv import warp_iuv
from dimr.types import Crop, Detection, Iuv

BODY, ATLAS = BodyModel.load(), load_atlas()
GEODESICS = Geodesics(BODY.v_template.numpy(), BODY.faces.numpy())
CROP_SIZE = 256


class Oracle(Stage1):
    """A stage 1 that knows the truth: `say` may falsify it."""

    def __init__(self, sample, say=lambda iuv: iuv, found=True):  # no networks
        self.sample, self.say, self.found = sample, say, found

    def find_people(self, picture):
        if not self.found:
            return []
        rows, cols = np.nonzero(self.sample.person_id == 0)
        box = np.array([cols.min() - 0.5, rows.min() - 0.5, cols.max() + 0.5, rows.max() + 0.5])
        return [Detection(box.astype(np.float32), 0.9, self.sample.person_id == 0)]

    def refine_crop(self, detection):
        self.crop = box_to_crop(detection.box_px, CROP_SIZE, 1.2)
        return self.crop

    def look_again(self, picture, detection, matrix, size):
        """The true IUV, by way of the crop's label pixels."""
        crop = self.refine_crop(detection)
        window = Crop(crop.centre_px, crop.side_px, CROP_SIZE // CORRESPONDENCE_STRIDE)
        to_window = np.vstack([crop_matrix(window), [0, 0, 1]])
        back = np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(to_window)
        return warp_iuv(self.seen(), back[:2], size)

    def seen(self):
        side = CROP_SIZE // CORRESPONDENCE_STRIDE
        window = Crop(self.crop.centre_px, self.crop.side_px, side)
        rows, cols = np.mgrid[:side, :side]
        full = crop_to_full(window, np.stack([cols, rows], axis=-1).reshape(-1, 2).astype(float))
        place = np.rint((full - 0.5) / 2).astype(int)
        truth = self.sample.iuv
        inside = ((place >= 0) & (place < truth.mask.shape[0])).all(1)
        c, r = place.clip(0, truth.mask.shape[0] - 1).T
        mask = (truth.mask[r, c] & inside).reshape(side, side)
        return self.say(
            Iuv(mask, np.where(mask[..., None], truth.uv[r, c].reshape(side, side, 2), 0))
        )


@functools.cache
def sample():
    alone = SyntheticConfig(others=(1.0,), objects=(1.0,), close_up=0.0, extreme_poses=0.0)
    return SyntheticPeople(BODY, ATLAS, size=192, split="test", config=alone).crop_sample(3)


def score(**oracle):
    return correspondence.score_crop(sample(), Oracle(sample(), **oracle), ATLAS, GEODESICS)


class TestScoreCrop:
    def test_the_truth_is_right(self):
        result = score()
        assert result.found and result.mask_iou > 0.9
        assert result.right_share > 0.9 and result.gps > 0.9
        assert result.wrong_side < 0.02

    def test_nobody_found_is_all_wrong(self):
        result = score(found=False)
        assert not result.found and result.mask_iou == result.right_share == result.gps == 0
        assert np.isnan(result.wrong_torso) and np.isnan(result.wrong_side)  # no side was said

    def test_exchanged_sides_are_noticed(self):
        """u -> 1 - u exchanges left and right limbs, at the right places of the picture."""

        def swap(iuv):
            u, v = iuv.uv[..., 0], iuv.uv[..., 1]
            return Iuv(iuv.mask, np.stack([np.where(iuv.mask, 1 - u, 0), v], axis=-1))

        assert score(say=swap).wrong_limb > 0.95

    def test_a_hole_counts_against_mask_and_surface(self):
        def punch(iuv):
            mask = iuv.mask.copy()
            mask[: len(mask) // 2] = False
            return Iuv(mask, np.where(mask[..., None], iuv.uv, 0))

        result, full = score(say=punch), score()
        assert result.mask_iou < full.mask_iou - 0.1
        assert result.right_share < full.right_share - 0.1


def result(scores, matched, shares=(1.0, 1.0), asked=None):
    shares = np.array(shares)
    asked = np.ones(len(shares), bool) if asked is None else np.array(asked)
    return SceneResult(np.array(scores), matched, shares, asked)


class TestAveragePrecision:
    def test_all_found(self):
        assert average_precision([result([0.9, 0.8], [0, 1])]) == 1

    def test_by_hand(self):
        """Right, wrong, right of two: precision 1 up to recall 1/2, then 2/3."""
        assert average_precision([result([0.9, 0.8, 0.7], [0, -1, 1])]) == pytest.approx(5 / 6)

    def test_order_over_scenes(self):
        scenes = [result([0.5], [0], (1.0,)), result([0.9], [-1], (1.0,))]
        assert average_precision(scenes) == pytest.approx(0.25)

    def test_small_people_do_not_count_either_way(self):
        assert average_precision([result([0.9, 0.8], [0, 1], asked=(False, True))]) == 1

    def test_hidden_only(self):
        scenes = [result([0.9, 0.8], [0, -1], (0.9, 0.3))]
        assert average_precision(scenes, hidden_only=True) == 0
        assert average_precision(scenes) == pytest.approx(0.5)

    def test_nobody_to_find(self):
        assert np.isnan(average_precision([result([], [], ())]))


def test_scene_matches_the_nearest_mask():
    people = SyntheticPeople(BODY, ATLAS, size=128, split="test")
    scene = next(
        scene
        for scene in map(people.scene_sample, range(30))
        if len(scene.people.visible_share) == 1
        and scene.people.visible_share[0] > 0.9
        and (scene.person_id == 0).sum() > 600
    )

    class Everybody(Oracle):
        def find_people(self, picture):
            (true,) = super().find_people(picture)
            corner = np.zeros_like(true.mask)
            corner[:4, :4] = True
            return [Detection(np.array([0, 0, 3, 3], np.float32), 0.95, corner), true]

    class Scene:
        person_id, iuv = scene.person_id, Iuv(scene.labels.person_id == 0, scene.labels.uv)

    found = correspondence.score_scene(scene, Everybody(Scene))
    assert found.matched == [-1, 0]
    assert found.scores.tolist() == [0.95, 0.9]


def score_of(yaw_deg, iou, torso=float("nan"), face=True):
    return correspondence.CorrespondenceScore(True, yaw_deg, face, iou, 0.5, 0.5, 0.1, torso, 0.0)


def test_means_by_subset_yaw_and_face():
    means = correspondence.mean_scores(
        {
            "clean": [score_of(10.0, 0.8), score_of(-170.0, 0.6, 0.5, face=False)],
            "person": [score_of(-100.0, 0.2, 0.0)],
        }
    )
    assert means["clean"]["mask_iou"] == pytest.approx(0.7) and means["clean"]["n"] == 2
    assert means["clean"]["wrong_torso"] == 0.5  # of the one whose torso is in sight
    assert means["faces away (> 135)"]["mask_iou"] == 0.6
    assert means["sideways (45-135)"]["n"] == means["face not in sight"]["n"] == 1
