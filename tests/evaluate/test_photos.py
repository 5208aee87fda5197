import numpy as np
import pytest
import torch
from PIL import Image

from dimr.body.camera import PerspectiveCamera
from dimr.body.model import BodyModel
from dimr.correspondence.stage1 import Stage1
from dimr.evaluate.photos import (
    LIMB_ROWS,
    JointScore,
    hide_joints,
    joint_means,
    joint_photos,
    limb_joints_px,
    score_joints,
    score_street,
)
from dimr.types import Detection, Iuv, Person, Prediction

SIDE = 192
FOCAL_PX = 300.0


class PointBody(BodyModel):
    """A body whose 14 joints are its first 14 vertices."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def keypoints(self, vertices, set_name):
        assert set_name == "lsp14"
        return vertices[:, :14]


def a_person(joints_px, box):
    """Somebody two metres away whose joints project to `joints_px`."""
    middle = (SIDE - 1) / 2
    flat = (np.asarray(joints_px, np.float32) - middle) * 2 / FOCAL_PX
    vertices = np.concatenate([flat, np.full((len(flat), 1), 2)], axis=1).astype(np.float32)
    person = object.__new__(Person)
    about = {
        "vertices_cam_m": vertices,
        "focal_px": FOCAL_PX,
        "box_px": np.array(box, np.float32),
    }
    for name, value in about.items():
        object.__setattr__(person, name, value)
    return person


@pytest.fixture
def joints_px():
    return np.random.default_rng(0).uniform(20, 170, (14, 2)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, joints_px):
    """Crops 1, 2 and 21; the first lacks its first and third joint."""
    joints = np.stack([joints_px] * 3)
    joints[0, [0, 2]] = np.nan
    np.savez(tmp_path / "joints.npz", ids=np.array([1, 2, 21]), joints=joints)
    (tmp_path / "images").mkdir()
    for number in (1, 2, 21):
        grey = np.full((SIDE, SIDE, 3), number, np.uint8)
        Image.fromarray(grey).save(tmp_path / "images" / f"im{number:05d}.jpg")
    return tmp_path


def test_limbs_are_twelve_joints_without_neck_and_head():
    assert LIMB_ROWS == list(range(12))


class TestPhotos:
    def test_every_twentieth_is_for_validation(self, folder, joints_px):
        first, second = joint_photos(folder)
        assert [first.path.name, second.path.name] == ["im00001.jpg", "im00021.jpg"]
        np.testing.assert_array_equal(second.joints_px, joints_px[:12])
        assert len(joint_photos(folder, limit=1)) == 1

    def test_what_is_not_there_is_named(self, tmp_path):
        with pytest.raises(ValueError, match=r"no joints\.npz"):
            joint_photos(tmp_path)
        np.savez(tmp_path / "joints.npz", ids=np.arange(2))
        with pytest.raises(ValueError, match=r"lspet: .*lacks the arrays joints"):
            joint_photos(tmp_path)
        (tmp_path / "joints.npz").write_bytes(b"PK\x03\x04x")
        with pytest.raises(ValueError, match=r"lspet: .*not a readable \.npz"):
            joint_photos(tmp_path)
        np.savez(tmp_path / "joints.npz", ids=np.arange(2), joints=np.zeros((2, 9, 2)))
        with pytest.raises(ValueError, match=r"\(2, 14, 2\)"):
            joint_photos(tmp_path)


class TestJoints:
    def test_joints_of_a_person_lie_where_they_project(self, joints_px):
        found = limb_joints_px(a_person(joints_px, (0, 0, 1, 1)), PointBody(), (SIDE, SIDE))
        np.testing.assert_allclose(found, joints_px[:12], atol=1e-3)
        camera = PerspectiveCamera(FOCAL_PX, ((SIDE - 1) / 2,) * 2)
        point = np.array([[0.5, 0.0, 2.0]], np.float32)
        assert camera.project(point)[0, 0] == pytest.approx(95.5 + 75)

    def test_within_a_tenth_of_the_box_is_right(self, folder, joints_px):
        limit = 0.1 * SIDE / 1.3
        moved = joints_px.copy()
        moved[1, 0] += limit - 0.1
        moved[3, 0] += limit + 0.1
        nearest = a_person(moved, (80, 80, 120, 120))
        other = a_person(joints_px * 0, (0, 0, 30, 30))
        photo = joint_photos(folder)[0]
        score = score_joints(
            photo, lambda _: Prediction((SIDE, SIDE), [other, nearest]), PointBody()
        )
        assert score.found and not score.hidden.any()
        assert score.labelled.tolist() == [k not in (0, 2) for k in range(12)]
        assert score.right.tolist() == [k not in (0, 2, 3) for k in range(12)]

    def test_nobody_found_misses_every_joint(self, folder):
        photo = joint_photos(folder)[0]
        score = score_joints(photo, lambda _: Prediction((SIDE, SIDE), []), PointBody())
        assert not score.found and not score.right.any() and score.labelled.sum() == 10
        assert joint_means([score])["pck"] == 0


class TestHiding:
    CUTOUT = np.full((120, 120, 4), 255, np.uint8)

    def test_at_least_a_fifth_of_the_joints_gets_hidden(self, joints_px):
        black = np.zeros((SIDE, SIDE, 3), np.uint8)
        for seed in range(5):
            rng = np.random.default_rng(seed)
            picture, hidden = hide_joints(black, joints_px[:12], [self.CUTOUT], rng)
            assert hidden.sum() >= 0.2 * 12
            place = np.rint(joints_px[:12]).astype(int)
            assert ((picture[place[:, 1], place[:, 0]] > 0).all(1) == hidden).all()
        assert not black.any()

    def test_unlabelled_joints_are_never_hidden(self, joints_px):
        some = joints_px[:12].copy()
        some[3:] = np.nan
        black = np.zeros((SIDE, SIDE, 3), np.uint8)
        _, hidden = hide_joints(black, some, [self.CUTOUT], np.random.default_rng(0))
        assert hidden[:3].any() and not hidden[3:].any()

    def test_the_same_things_hide_the_same_crop_every_time(self, folder):
        seen = []

        def predict(picture):
            seen.append(picture)
            return Prediction((SIDE, SIDE), [])

        photo = joint_photos(folder)[1]
        scores = [score_joints(photo, predict, PointBody(), [self.CUTOUT]) for _ in range(2)]
        np.testing.assert_array_equal(seen[0], seen[1])
        assert scores[0].hidden.any() and (seen[0] == 255).any()


def test_means_are_over_joints_not_over_crops():
    def score(right, hidden, labelled):
        row = [np.arange(12) < count for count in (right, hidden, labelled)]
        return JointScore(True, *row)

    means = joint_means([score(2, 4, 8), score(2, 0, 2)])
    assert means["n"] == 2 and means["found"] == 1
    assert means["pck"] == pytest.approx(4 / 10)
    assert means["pck_hidden"] == pytest.approx(2 / 4)
    assert means["pck_seen"] == pytest.approx(2 / 6)
    assert np.isnan(joint_means([score(2, 0, 2)])["pck_hidden"])


class Nobody(Stage1):
    """Finds nobody; for sub-classes: looks again at the whole picture."""

    def __init__(self):
        self.crop_size = 64

    def find_people(self, picture):
        return []

    def marker(self, detection, crop):
        return torch.zeros(1, 2, 32, 32)


class TestStreet:
    @pytest.fixture
    def folder(self, tmp_path):
        """Photos 1, 2 and 21: a person in the middle third."""
        mask = np.zeros((60, 40), np.uint8)
        mask[20:40, 10:30] = 255
        for name in ("images", "mask"):
            (tmp_path / name).mkdir()
        for number in (1, 2, 21):
            Image.fromarray(np.stack([mask] * 3, axis=-1)).save(
                tmp_path / "images" / f"{number:04d}.jpg", quality=95
            )
            Image.fromarray(mask).save(tmp_path / "mask" / f"{number:04d}.png")
        return tmp_path

    def test_bright_people_are_found(self, folder):
        class Bright(Nobody):
            def find_people(self, picture):
                mask = picture[..., 0] > 128
                return [Detection(np.array([9.5, 19.5, 29.5, 39.5], np.float32), 1.0, mask)]

            def look_again(self, picture, detection, matrix, size):
                assert np.array_equal(matrix, [[1, 0, 0], [0, 1, 0]])
                return Iuv(detection.mask, np.zeros((*size, 2), np.float32))

        scores = score_street(folder, Bright())
        assert scores["n"] == 2 and scores["mask_iou"] > 0.9

    def test_nobody_found(self, folder):
        scores = score_street(folder, Nobody(), limit=1)
        assert scores == {"n": 1, "mask_iou": 0.0, "found": 0.0}

    def test_folder_without_masks(self, tmp_path):
        with pytest.raises(ValueError, match="street"):
            score_street(tmp_path, Nobody())
