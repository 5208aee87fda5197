import numpy as np
import pytest

from data.real import writers
from dimr.body.keypoints import JOINT_MIRROR
from dimr.data.real.labels import LABEL_JOINTS, record_iuv
from dimr.data.real.layout import open_dataset
from dimr.data.real.mixture import (
    LABEL_MIRROR,
    Augmentation,
    RealSamples,
    flip_sample,
    multiply_channels,
    record_targets,
)
from dimr.data.real.record import _picture
from dimr.image.crop import crop_to_norm
from dimr.types import Crop, Iuv

SIZE = 64


@pytest.fixture(scope="module")
def muco(tmp_path_factory, people):
    folder = tmp_path_factory.mktemp("muco")
    writers.write_muco(folder, people)
    return open_dataset("muco", folder)


@pytest.fixture(scope="module")
def iuv_of(open_body, open_atlas):
    return lambda *window: record_iuv(window[0], open_body, open_atlas, *window[1:])


def samples(muco, open_body, iuv_of, **changes):
    given = {"augmentation": Augmentation.still(), **changes}
    return RealSamples([(muco, 1.0)], open_body, iuv_of, SIZE, **given)


def test_labels_of_a_still_crop(muco, people, open_body):
    record, person = muco[0], people[0]
    targets = record_targets(record, open_body, record.window(SIZE))
    np.testing.assert_allclose(targets["joints_m"][:24], person.joints, atol=1e-4)
    knee = LABEL_JOINTS.index("L_knee", 24)
    assert targets["weight_2d"][knee] == targets["weight_2d"][4] == targets["weight_smpl"] == 1
    pixels = person.project(np.stack([person.joints[4], person.keypoints["L_knee"]]))
    norm = (pixels - np.array(record.centre_px)) / (record.side_px / 2)
    np.testing.assert_allclose(targets["joints_norm"][[4, knee]], norm, atol=1e-3)


def test_a_turned_crop_turns_the_labels(muco, open_body):
    """Joints and their picture stay together: turned labels are those of the turned picture."""
    record = muco[1]
    straight = record_targets(record, open_body, record.window(SIZE))
    crop = Crop(record.centre_px, record.side_px, SIZE, float(np.pi / 2))
    turned = record_targets(record, open_body, crop)
    # a quarter turn: the window's x axis is the picture's y axis
    x, y = straight["joints_norm"].T
    known = (straight["weight_2d"] > 0) & (turned["weight_2d"] > 0)
    expected = np.stack([y, -x], 1)[known]
    np.testing.assert_allclose(turned["joints_norm"][known], expected, atol=2e-5)
    x, y, z = straight["joints_m"].T
    pelvis = straight["joints_m"][:1] @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    expected = np.stack([y, -x, z], 1)
    np.testing.assert_allclose(turned["joints_m"] - pelvis, expected - pelvis, atol=1e-4)
    import torch

    posed = open_body.joints(
        torch.from_numpy(turned["rotmats"])[None], torch.from_numpy(turned["betas"])[None]
    )[0].numpy()
    moved = posed - posed[:1]
    np.testing.assert_allclose(
        moved, (turned["joints_m"] - turned["joints_m"][:1])[:24], atol=1e-4
    )


def test_a_flipped_sample_is_a_body_of_the_model(muco, open_body, open_atlas, iuv_of):
    import torch

    record = muco[0]
    crop = record.window(SIZE)
    targets = record_targets(record, open_body, crop)
    iuv = iuv_of(record, crop, SIZE // 2)
    image = np.arange(SIZE * SIZE * 3, dtype=np.uint8).reshape(SIZE, SIZE, 3)
    flipped_image, flipped_iuv, flipped = flip_sample(image, iuv, targets)
    assert np.array_equal(flipped_image[:, ::-1], image)
    assert np.array_equal(flipped_iuv.mask[:, ::-1], iuv.mask)
    joints = open_body.joints(
        torch.from_numpy(flipped["rotmats"])[None], torch.from_numpy(flipped["betas"])[None]
    )[0].numpy()
    mirrored = targets["joints_m"][:24][list(JOINT_MIRROR)] * [-1, 1, 1]
    np.testing.assert_allclose(joints - joints[:1], mirrored - mirrored[:1], atol=2e-3)
    np.testing.assert_allclose(flipped["joints_m"][:24], mirrored, atol=1e-5)
    assert [LABEL_JOINTS[k] for k in LABEL_MIRROR][24] == "L_ankle"
    back = flip_sample(flipped_image, flipped_iuv, flipped)
    np.testing.assert_allclose(back[2]["joints_norm"], targets["joints_norm"], atol=1e-6)


def test_samples_depend_on_seed_and_index_alone(muco, open_body, iuv_of):
    first = samples(muco, open_body, iuv_of, augmentation=Augmentation())
    second = samples(muco, open_body, iuv_of, augmentation=Augmentation())
    second[3]
    for name, value in first[5].items():
        assert np.array_equal(value, second[5][name]), name
    other = samples(muco, open_body, iuv_of, augmentation=Augmentation(), seed=1)
    assert not np.array_equal(first[5]["image"], other[5]["image"])


def test_the_iuv_stays_on_the_picture(muco, open_body, open_atlas, iuv_of):
    """Augmented picture and IUV agree: the IUV's surface lies where its joints' labels are."""
    data = samples(muco, open_body, iuv_of, augmentation=Augmentation(rotated=1.0))
    for index in range(6):
        sample = data[index]
        rest = open_atlas.positions(open_body.v_template.numpy(), 64)
        hips = sample["joints_norm"][[1, 2]]
        cols, rows = open_atlas.uv_to_texel(sample["uv"][sample["mask"]], 64)
        height_m = rest[rows, cols, 1] - open_body.joints_template[0, 1].item()
        near = np.abs(height_m) < 0.12
        near &= np.abs(rest[rows, cols, 0]) < 0.2
        if near.sum() < 10:
            continue
        y, x = np.nonzero(sample["mask"])
        seen = crop_to_norm(np.stack([x, y], 1)[near].mean(0), SIZE // 2)
        assert np.linalg.norm(seen - hips.mean(0)) < 0.35


def test_occluded_twin(muco, open_body, iuv_of):
    objects = [np.full((60, 60, 4), 255, np.uint8)]
    data = samples(muco, open_body, iuv_of, objects=objects)
    for index in range(4):
        sample = data[index]
        changed = (sample["image"] != sample["occluded_image"]).any(2)
        half = changed.reshape(32, 2, 32, 2).any((1, 3))
        lost = sample["mask"] & ~sample["occluded_mask"]
        assert not (sample["occluded_mask"] & half).any()
        assert lost.any() or not (half & sample["mask"]).any()


def test_channel_noise_by_hand():
    picture = np.full((1, 1, 3), 200, np.uint8)
    assert multiply_channels(picture, np.array([0.5, 1.0, 1.4])).tolist() == [[[100, 200, 255]]]


def test_shares_are_kept(muco, open_body, iuv_of, tmp_path, people):
    writers.write_eft(tmp_path, people)
    eft = open_dataset("eft", tmp_path)
    seen = []

    def spy(record, crop, size):
        seen.append(record.dataset)
        return Iuv(np.ones((size, size), bool), np.zeros((size, size, 2), np.float32))

    data = RealSamples([(muco, 0.1), (eft, 0.9)], open_body, spy, SIZE, Augmentation.still())
    for index in range(60):
        data[index]
    assert 1 <= seen.count("muco") <= 14 and len(seen) == 60


def test_an_unreadable_picture_is_replaced(muco, open_body, iuv_of, tmp_path, people):
    writers.write_muco(tmp_path, people)
    records = open_dataset("muco", tmp_path)
    records[0].picture.unlink()
    data = samples(records, open_body, iuv_of)
    assert all(data[index]["image"].shape == (SIZE, SIZE, 3) for index in range(8))
    for record in records:
        record.picture.unlink(missing_ok=True)
    _picture.cache_clear()
    with pytest.raises(ValueError, match="none of 20 records"):
        samples(open_dataset("muco", tmp_path), open_body, iuv_of)[0]


def test_refuses_empty_sources(open_body, iuv_of):
    with pytest.raises(ValueError, match="want data sets with"):
        RealSamples([], open_body, iuv_of, SIZE, Augmentation())
