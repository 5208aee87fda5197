import numpy as np
import pytest
import torch
from tiny import STANDING_PX, write_lspet

from dimr.body.keypoints import LSP14_NAMES
from dimr.evaluate.photos import joint_photos
from dimr.train.photos import (
    LANDMARKS,
    MIRROR,
    VIEWS,
    WEIGHT_2D,
    AllKnown,
    Alternating,
    labels_mask,
    mend_sides,
    photo_rows,
)
from dimr.train.recipes import train_stage2_photos
from dimr.train.run import Run, surface_of
from dimr.train.weights import load_stage1, weights_folder


class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, index):
        return self.rows[index]


@pytest.fixture
def lspet(tmp_path):
    write_lspet(tmp_path, (20, 21, 22), unknown=2)  # the second is for validation
    return tmp_path


def test_validation_photographs_do_not_take_part(lspet):
    numbers = [photo.path.stem for photo in joint_photos(lspet, validation=False)]
    assert numbers == ["im00020", "im00022"]


def test_mirror_exchanges_left_and_right():
    names = LSP14_NAMES[:12]
    other = {"L": "R", "R": "L"}
    assert [names[each] for each in MIRROR] == [other[name[0]] + name[1:] for name in names]


def test_landmarks_are_those_of_blazepose():
    """Right ankle 28, knee 26, hip 24 ... in LSP's order; odd numbers are left."""
    assert LANDMARKS.tolist() == [28, 26, 24, 23, 25, 27, 16, 14, 12, 11, 13, 15]


@pytest.mark.parametrize("seed", range(6))
def test_marks_cover_every_labelled_joint(seed):
    joints = STANDING_PX.copy()
    joints[3] = np.nan
    mask = labels_mask(joints, 192, np.random.default_rng(seed))
    for x, y in joints[~np.isnan(joints[:, 0])]:
        assert mask[int(y), int(x)]
    assert 0.03 < mask.mean() < 0.5


@pytest.mark.parametrize(("visible", "mended"), [(0.9, True), (0.2, False)])
def test_labels_with_sides_swapped_are_mended_where_landmarks_are_sure(visible, mended):
    joints = (STANDING_PX[:12] / 96 - 1).astype(np.float32)
    pose = np.zeros((39, 10), np.float32)
    pose[LANDMARKS, :2] = joints
    pose[LANDMARKS, 3] = visible
    assert np.array_equal(mend_sides(joints, pose), joints)
    wanted = joints if mended else joints[MIRROR]
    assert np.array_equal(mend_sides(joints[MIRROR], pose), wanted)


def test_labels_that_fit_neither_way_stay():
    joints = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    pose = np.ones((39, 10), np.float32)
    assert np.array_equal(mend_sides(joints, pose), joints)


def test_every_second_sample_is_a_photograph_and_none_is_left_out():
    photos = [{"name": f"photo{k}", "weight_smpl": np.float32(0)} for k in range(9)]
    synthetic = [{"name": f"synthetic{k}"} for k in range(9)]
    samples = Alternating(AllKnown(Rows(synthetic)), Rows(photos))
    mixed = [samples[index] for index in range(9)]
    assert [each["name"] for each in mixed[:6]] == [
        "synthetic0", "photo0", "synthetic1", "photo1", "synthetic2", "photo2",
    ]  # fmt: skip
    assert mixed[0]["weight_smpl"] == 1 and mixed[1]["weight_smpl"] == 0
    assert mixed[0]["weight_2d"].tolist() == [1] * 24


def test_rows_know_two_dimensions_of_labelled_joints_only(lspet):
    run = Run(folder=lspet)
    stage1 = load_stage1(weights_folder("open"), *surface_of(run))
    photos = joint_photos(lspet, validation=False)
    (rows,) = photo_rows(stage1, photos, [], 0)
    assert len(rows["image"]) == VIEWS * len(photos)
    assert not rows["weight_smpl"].any() and not rows["weight_3d"].any()
    assert (rows["weight_2d"] / WEIGHT_2D).sum(1).tolist() == [12, 12, 11, 11]
    known = rows["weight_2d"] > 0
    assert (np.abs(rows["joints_norm"][known]) < 1).all()
    assert np.isfinite(rows["joints_norm"]).all()
    (rest,) = photo_rows(stage1, photos, [], 3)
    assert np.array_equal(rest["joints_norm"][0], rows["joints_norm"][3])


def test_photographs_need_what_was_seen(tmp_path):
    run = Run(folder=tmp_path, lspet=tmp_path)
    with pytest.raises(ValueError, match="--seen"):
        train_stage2_photos(run, *surface_of(run))
