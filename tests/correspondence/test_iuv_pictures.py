import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.correspondence.iuv_pictures import (
    CHANNEL_ORDERS,
    Reading,
    detect_reading,
    read_label_picture,
)

HEIGHT, WIDTH = 24, 30


def person(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Parts 0..24 in vertical bands and (U, V) on them."""
    draw = np.random.default_rng(seed)
    part = np.tile(np.arange(WIDTH) % 25, (HEIGHT, 1))
    part[:5] = 0
    uv = draw.random((HEIGHT, WIDTH, 2)).astype(np.float32)
    return part, np.where(part[..., None] > 0, uv, np.float32(0))


def channels(part, uv, order="iuv", dtype=np.uint8, part_scale=1.0, uv_scale=255.0):
    named = {"i": part * part_scale, "u": uv[..., 0] * uv_scale, "v": uv[..., 1] * uv_scale}
    stacked = np.stack([named[name] for name in order], -1)
    return (np.rint(stacked) if np.dtype(dtype).kind in "iu" else stacked).astype(dtype)


def save(path, stacked):
    if path.suffix == ".npy":
        np.save(path, stacked)
    elif path.suffix == ".npz":
        np.savez(path, iuv=stacked)
    else:
        cv2.imwrite(str(path), np.ascontiguousarray(stacked[..., ::-1]))
    return path


def assert_same(read, part, uv, tolerance):
    np.testing.assert_array_equal(read.part[0], part)
    assert np.abs(read.uv[0] - uv).max() <= tolerance


class TestDensePose:
    @pytest.mark.parametrize("order", ["iuv", "vui"])
    @pytest.mark.parametrize("suffix", ["png", "tif", "npy", "npz"])
    def test_order_is_found(self, tmp_path, order, suffix):
        part, uv = person()
        path = save(tmp_path / f"iuv.{suffix}", channels(part, uv, order))
        read = read_label_picture(path, Reading())
        assert read.reading == Reading(order, "densepose", 1.0)
        assert_same(read, part, uv, 0.51 / 255)

    def test_cv2_and_pillow_writers_come_back_alike(self, tmp_path):
        """cv2.imwrite of [I, U, V] puts I into blue, the last channel of the file."""
        part, uv = person()
        cv2.imwrite(str(tmp_path / "cv2.png"), channels(part, uv, "iuv"))
        read = read_label_picture(tmp_path / "cv2.png", Reading())
        assert read.reading.channels == "vui"
        assert_same(read, part, uv, 0.51 / 255)

    @pytest.mark.parametrize("order", CHANNEL_ORDERS)
    def test_any_order_can_be_said(self, tmp_path, order):
        part, uv = person()
        path = save(tmp_path / "iuv.png", channels(part, uv, order))
        assert_same(read_label_picture(path, Reading(order)), part, uv, 0.51 / 255)

    @pytest.mark.parametrize("order", ["uiv", "viu"])
    def test_labels_in_the_middle_leave_u_and_v_open(self, tmp_path, order):
        path = save(tmp_path / "iuv.png", channels(*person(), order))
        with pytest.raises(ValueError, match=r"2 ways \(channels uiv.*channels viu.*--channels"):
            read_label_picture(path, Reading())

    @pytest.mark.parametrize(
        ("dtype", "part_scale", "uv_scale"),
        [
            (np.uint8, 10, 255),
            (np.uint8, 255 / 24, 255),
            (np.uint16, 1, 65535),
            (np.uint16, 1, 255),
            (np.int64, 1, 255),
            (np.float32, 1, 1),
            (np.float32, 1, 255),
            (np.float32, 1 / 24, 1),
            (np.float32, 1 / 255, 1),
            (np.float16, 1, 1),
            (np.float64, 10, 255),
        ],
    )
    def test_scales_are_found(self, tmp_path, dtype, part_scale, uv_scale):
        part, uv = person()
        stacked = channels(part, uv, "iuv", dtype, part_scale, uv_scale)
        read = read_label_picture(save(tmp_path / "iuv.npy", stacked), Reading())
        assert read.reading.part_scale == pytest.approx(part_scale)
        assert_same(read, part, uv, 0.51 / min(max(uv_scale, 255), 255))

    def test_16_bit_png(self, tmp_path):
        part, uv = person()
        path = save(tmp_path / "iuv.png", channels(part, uv, "iuv", np.uint16, 1, 65535))
        assert_same(read_label_picture(path, Reading()), part, uv, 1e-5)

    def test_cut_off_part_scale(self):
        """255 / 24 k cut to whole numbers, not rounded."""
        part, uv = person()
        stacked = channels(part, uv)
        stacked[..., 0] = (part * (255 / 24)).astype(np.uint8)
        assert detect_reading(stacked[None], Reading()).part_scale == pytest.approx(255 / 24)

    def test_few_parts_leave_the_scale_open(self, tmp_path):
        part, uv = person()
        part = np.where(part == 10, 10, 0)
        path = save(tmp_path / "iuv.png", channels(part, uv * (part > 0)[..., None]))
        with pytest.raises(ValueError, match=r"part scale 1;.*part scale 10.*--part-scale"):
            read_label_picture(path, Reading())
        assert read_label_picture(path, Reading(part_scale=1.0)).part.max() == 10
        assert read_label_picture(path, Reading(part_scale=10.0)).part.max() == 1

    def test_small_u_is_not_taken_for_parts(self):
        """U of few values could be parts; but it is zero where the person is, I is not."""
        part, uv = person()
        uv = np.where(part[..., None] > 0, np.rint(uv * 20) / 255, 0).astype(np.float32)
        assert (uv[part > 0] == 0).any()
        assert detect_reading(channels(part, uv)[None], Reading()).channels == "iuv"

    def test_whole_numbers_in_two_channels_are_refused(self):
        part, uv = person()
        uv = np.where(part[..., None] > 0, np.rint(uv * 20 + 1) / 255, 0).astype(np.float32)
        with pytest.raises(ValueError, match="--channels"):
            detect_reading(channels(part, uv)[None], Reading())
        assert detect_reading(channels(part, uv)[None], Reading("iuv")).channels == "iuv"

    def test_garbage_under_background_labels_is_ignored(self, tmp_path):
        part, uv = person()
        dirty = np.random.default_rng(5).random(uv.shape).astype(np.float32)
        stacked = channels(part, np.where(part[..., None] > 0, uv, dirty))
        read = read_label_picture(save(tmp_path / "iuv.png", stacked), Reading())
        assert_same(read, part, uv, 0.51 / 255)

    def test_networks_uv_beyond_0_1_is_clamped(self, tmp_path):
        part, uv = person()
        wide = uv * 1.15 - 0.075 * (part[..., None] > 0)
        path = save(tmp_path / "iuv.npy", channels(part, wide, "iuv", np.float32, 1, 1))
        assert_same(read_label_picture(path, Reading()), part, np.clip(wide, 0, 1), 1e-6)

    @pytest.mark.parametrize("colour", [255, np.nan, -1])
    def test_backgrounds(self, tmp_path, colour):
        part, uv = person()
        part[:, [0, -1]] = 0
        uv[:, [0, -1]] = 0
        stacked = channels(part, uv, "iuv", np.float32)
        stacked[part == 0] = colour
        read = read_label_picture(save(tmp_path / "iuv.npy", stacked), Reading())
        assert_same(read, part, uv, 1e-6)

    def test_several_people_and_channels_first(self, tmp_path):
        both = [person(0), person(1)]
        stacked = np.stack([channels(*one) for one in both])
        read = read_label_picture(save(tmp_path / "iuv.npy", stacked), Reading())
        turned = np.moveaxis(stacked, -1, 1)
        again = read_label_picture(save(tmp_path / "chw.npy", turned), Reading())
        assert len(read.part) == 2
        for one, other in itertools.product((read,), (again,)):
            np.testing.assert_array_equal(one.part, other.part)
            np.testing.assert_array_equal(one.uv, other.uv)
        np.testing.assert_array_equal(read.part[1], both[1][0])

    @given(st.sampled_from(["iuv", "vui"]), st.sampled_from([1.0, 10.0]), st.integers(0, 10**6))
    @settings(max_examples=30, deadline=None)
    def test_round_trip_of_any_picture_that_is_read_without_help(self, order, scale, seed):
        draw = np.random.default_rng(seed)
        part = draw.integers(0, 25, (8, 9))
        uv = np.where(part[..., None] > 0, draw.random((8, 9, 2)), 0).astype(np.float32)
        found = detect_reading(channels(part, uv, order, np.uint8, scale)[None], Reading())
        assert (found.channels, found.part_scale) == (order, scale)


class TestMask:
    @pytest.mark.parametrize("one", [1, 255])
    @pytest.mark.parametrize("order", ["iuv", "vui"])
    def test_decomr(self, tmp_path, one, order):
        part, uv = person()
        mask = (part > 0).astype(np.int64)
        path = save(tmp_path / "iuv.png", channels(mask * one, uv, order))
        read = read_label_picture(path, Reading())
        assert read.reading == Reading(order, "mask")
        assert_same(read, mask, uv, 0.51 / 255)

    def test_single_part_can_be_said(self, tmp_path):
        part, uv = person()
        back = (part == 1).astype(np.int64)
        path = save(tmp_path / "iuv.png", channels(back, uv * back[..., None]))
        assert read_label_picture(path, Reading()).reading.labels == "mask"
        said = Reading(labels="densepose", part_scale=1.0)
        assert read_label_picture(path, said).reading.labels == "densepose"


class TestRefuse:
    def test_colour_pictures(self, tmp_path):
        photo = np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8)
        with pytest.raises(ValueError, match="no channel holds a mask"):
            read_label_picture(save(tmp_path / "photo.png", photo), Reading())

    def test_said_order_that_does_not_fit(self, tmp_path):
        path = save(tmp_path / "iuv.png", channels(*person()))
        with pytest.raises(ValueError, match="when read as vui"):
            read_label_picture(path, Reading("vui"))

    def test_empty_picture(self):
        with pytest.raises(ValueError, match="no channel"):
            detect_reading(np.zeros((1, 5, 5, 3), np.uint8), Reading())

    def test_uv_of_unknown_scale(self, tmp_path):
        path = save(tmp_path / "a.npy", channels(*person(), "iuv", np.float32, 1, 5000))
        with pytest.raises(ValueError, match="u and v reach"):
            read_label_picture(path, Reading())

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (np.zeros((5, 5), np.uint8), "has shape"),
            (np.zeros((5, 5, 4), np.uint8), "has shape"),
            (np.zeros((0, 5, 3), np.uint8), "has shape"),
            (np.zeros((5, 5, 3), complex), "want numbers"),
            (np.array([[[None] * 3]]), "cannot be read as .npy"),
        ],
    )
    def test_other_arrays(self, tmp_path, content, message):
        np.save(tmp_path / "a.npy", content, allow_pickle=True)
        with pytest.raises(ValueError, match=message):
            read_label_picture(tmp_path / "a.npy", Reading())

    def test_header_that_promises_more_than_the_file_has(self, tmp_path):
        path = save(tmp_path / "a.npy", np.zeros((50, 50, 3), np.uint8))
        path.write_bytes(path.read_bytes().replace(b"(50, 50, 3)", b"(5000000, 5000000, 3)"))
        with pytest.raises(ValueError, match=r"cannot be read as \.npy"):
            read_label_picture(path, Reading())

    def test_npz_of_several_arrays(self, tmp_path):
        iuv = channels(*person())
        np.savez(tmp_path / "a.npz", a=iuv, b=iuv)
        with pytest.raises(ValueError, match="lacks the arrays mask, uv"):
            read_label_picture(tmp_path / "a.npz", Reading())

    def test_other_suffixes(self, tmp_path):
        for suffix, message in (("jpg", "JPEG blurs labels"), ("txt", "IUVs are read from")):
            path = tmp_path / f"a.{suffix}"
            path.write_bytes(b"x")
            with pytest.raises(ValueError, match=message):
                read_label_picture(path, Reading())

    @pytest.mark.parametrize("mode", ["grey", "alpha"])
    def test_pictures_without_three_channels(self, tmp_path, mode):
        shape = (5, 7) if mode == "grey" else (5, 7, 4)
        cv2.imwrite(str(tmp_path / "a.png"), np.ones(shape, np.uint8))
        with pytest.raises(ValueError, match=r"mode (L|RGBA), want three channels"):
            read_label_picture(tmp_path / "a.png", Reading())

    @pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"text", b"\x93NUMPY\x01"])
    @pytest.mark.parametrize("suffix", ["png", "tif", "npy", "npz"])
    def test_broken_files(self, tmp_path, content, suffix):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.{suffix}"):
            read_label_picture(path, Reading())

    @pytest.mark.parametrize(
        "reading", [{"channels": "rgb"}, {"labels": "parts"}, {"part_scale": 0.0}]
    )
    def test_wrong_options(self, reading):
        with pytest.raises(ValueError, match=next(iter(reading))):
            Reading(**reading)
