import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimr.body.keypoints import JOINT_NAMES
from dimr.body.landmarks import LIMB_LANDMARKS
from dimr.correspondence.confirm import CIRCLE, HIPS
from dimr.data.synthetic.synthocc import SynthOcc
from dimr.encoder.blazepose import BlazePose
from dimr.evaluate.landmarks import (
    LIMB_JOINTS,
    LimbErrors,
    LimbScore,
    find_world_landmarks,
    limb_errors,
    limb_means,
    score_limbs,
    window_to_camera,
)
from dimr.image.crop import crop_to_full
from dimr.types import Crop, Person, Prediction


class ToyNetwork(BlazePose):
    """Sees a body that leans by 45 degrees, as surely as it is told; each look uses one answer."""

    WORLD_M = np.random.default_rng(3).normal(size=(39, 3)).astype(np.float32)

    def __init__(self, *presence: float):
        torch.nn.Module.__init__(self)
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.presence = list(presence)
        self.seen = []

    def find_landmarks(self, image):
        self.seen.append(image)
        landmarks_px = torch.zeros(1, 39, 5)
        landmarks_px[0, HIPS, :2] = torch.tensor([120.0, 130.0])
        landmarks_px[0, CIRCLE, :2] = torch.tensor([170.0, 80.0])
        presence = torch.tensor([self.presence.pop(0)])
        return landmarks_px, torch.from_numpy(self.WORLD_M)[None], presence


PICTURE = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)


def test_the_twelve_joints_are_the_same_in_both_orders():
    names = [JOINT_NAMES[joint] for joint in LIMB_JOINTS]
    blazepose = "shoulder elbow wrist _ _ _ hip knee ankle".split()  # from 11 on, left first
    assert names == [f"{'LR'[k % 2 == 0]}_{blazepose[(k - 11) // 2]}" for k in LIMB_LANDMARKS]


@given(
    st.floats(-3.1, 3.1),
    st.lists(st.floats(-1, 1), min_size=6, max_size=6),
)
def test_turned_windows_turn_landmarks_as_they_turn_pixels(angle, values):
    points_m = np.array(values, np.float32).reshape(2, 3)
    window = Crop((40.0, 70.0), 128.0, 256, angle)
    pixels = crop_to_full(window, 100.0 * points_m[:, :2]) - crop_to_full(window, np.zeros(2))
    turned = window_to_camera(points_m, window)
    np.testing.assert_allclose(turned[:, :2] * 50, pixels, atol=1e-3)
    np.testing.assert_array_equal(turned[:, 2], points_m[:, 2])


class TestTwoLooks:
    def test_the_second_look_answers_in_camera_axes(self):
        network = ToyNetwork(0.3, 0.9)
        found = find_world_landmarks(network, PICTURE)
        leaning = Crop((120.0, 130.0), 1.0, 256, np.pi / 4)
        np.testing.assert_allclose(found, window_to_camera(network.WORLD_M, leaning), atol=1e-5)
        assert len(network.seen) == 2
        np.testing.assert_allclose(network.seen[0][0].permute(1, 2, 0) * 255, PICTURE, atol=1e-3)
        assert not torch.equal(*network.seen)

    @pytest.mark.parametrize(("presence", "looks"), [((0.1,), 1), ((0.9, 0.4), 2)])
    def test_nobody(self, presence, looks):
        network = ToyNetwork(*presence)
        assert find_world_landmarks(network, PICTURE) is None
        assert len(network.seen) == looks


def test_a_turned_person_is_found_turned():
    data = pytest.importorskip("skimage.data")
    network = BlazePose.pretrained().eval()
    picture = data.astronaut()
    turn = cv2.getRotationMatrix2D((255.5, 255.5), 25, 1.0)  # degrees, against the clock
    turned = cv2.warpAffine(picture, turn, (512, 512))
    upright, leaning = (find_world_landmarks(network, each) for each in (picture, turned))
    expected = upright[:17, :2] @ turn[:, :2].T
    mistake = np.linalg.norm(leaning[:17, :2] - expected, axis=1).mean()
    assert mistake < 0.06 < np.linalg.norm(leaning[:17, :2] - upright[:17, :2], axis=1).mean()


LIMBS = np.random.default_rng(7).normal(size=(12, 3)).astype(np.float32)


class TestErrors:
    def test_moving_costs_nothing(self):
        errors = limb_errors(LIMBS + np.float32([1, 2, 3]), LIMBS)
        assert max(errors) < 1e-2

    def test_size_costs_only_where_nothing_is_fitted(self):
        errors = limb_errors(LIMBS * np.float32(2), LIMBS)
        centred = LIMBS - LIMBS[[6, 7]].mean(0)
        assert errors.pa_mpjpe_mm < 1e-2
        assert errors.mpjpe_mm == pytest.approx(
            1000 * np.linalg.norm(centred, axis=1).mean(), rel=1e-4
        )

    def test_one_joint_off_by_hand(self):
        moved = LIMBS.copy()
        moved[0, 1] += 0.12
        assert limb_errors(moved, LIMBS).mpjpe_mm == pytest.approx(10, rel=1e-3)
        moved = LIMBS.copy()
        moved[6, 1] += 0.12  # a hip moves the middle of the hips by half of that
        assert limb_errors(moved, LIMBS).mpjpe_mm == pytest.approx(60, rel=1e-3)


def a_person(box_px, joints_m) -> Person:
    """Of whom only the box and the joints matter."""
    person = object.__new__(Person)
    object.__setattr__(person, "box_px", np.asarray(box_px, np.float32))
    object.__setattr__(person, "joints_cam_m", np.asarray(joints_m, np.float32))
    return person


@pytest.fixture(scope="module")
def sample(open_body, open_atlas):
    return SynthOcc(open_body, open_atlas).crop("clean", 0)


class TestScores:
    def test_the_person_at_the_target_counts(self, sample):
        box = sample.people.box_px[0]
        target = a_person(box + 2, sample.joints_m + np.float32([0, 0, 3]))
        surer = a_person((0, 0, 9, 9), sample.joints_m * 0)
        landmarks = np.zeros((39, 3), np.float32)
        landmarks[list(LIMB_LANDMARKS)] = sample.joints_m[list(LIMB_JOINTS)] * 2
        score = score_limbs(
            sample,
            ToyNetwork(0.9, 0.9),
            lambda _: landmarks,
            lambda _: Prediction((256, 256), [surer, target]),
        )
        assert max(score.dimr) < 1e-2 and score.blazepose.pa_mpjpe_mm > 100
        assert score.landmarks.pa_mpjpe_mm < 1e-2 and score.landmarks.mpjpe_mm > 100

    def test_misses(self, sample):
        elsewhere = a_person((0, 0, 9, 9), sample.joints_m)
        for people in ([], [elsewhere]):
            score = score_limbs(
                sample,
                ToyNetwork(0),
                lambda _: np.zeros((39, 3), np.float32),
                lambda _, p=people: Prediction((256, 256), p),
            )
            assert score.blazepose is None and score.dimr is None


def test_means_count_misses():
    def errors(value):
        return LimbErrors(value, 2 * value)

    scores = [
        LimbScore(errors(10.0), errors(1.0), errors(20.0)),
        LimbScore(errors(30.0), errors(1.0), None),
        LimbScore(None, errors(1.0), errors(60.0)),
        LimbScore(None, errors(1.0), None),
    ]
    assert limb_means(scores, "blazepose") == (4, 2, (20, 40))
    assert limb_means(scores, "dimr") == (4, 2, (40, 80))
    assert limb_means(scores, "landmarks") == (4, 4, (1, 2))
    assert limb_means(scores, "blazepose", found_by_both=True) == (4, 1, (10, 20))
    assert limb_means(scores[1:], "dimr", found_by_both=True) == (3, 0, None)
