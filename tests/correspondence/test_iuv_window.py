import io
from dataclasses import replace

import numpy as np
import pytest

from dimr.correspondence.iuv_window import (
    IuvWindow,
    crop_region,
    iuv_to_window,
    read_windows,
    windows_bytes,
)
from dimr.image.crop import full_to_crop
from dimr.surface.atlas import Atlas, load_atlas
from dimr.types import Crop, Iuv

SIZE = (7, 5)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas(None)


@pytest.fixture
def mask():
    return np.random.default_rng(0).random((2, 5, 7)) < 0.5


@pytest.fixture
def uv(mask):
    return (np.random.default_rng(1).random((2, 5, 7, 2)) * mask[..., None]).astype(np.float32)


def write(tmp_path, **arrays):
    np.savez(tmp_path / "i.npz", **arrays)
    return tmp_path / "i.npz"


class TestWindow:
    @pytest.mark.parametrize("corner", [(0, 0), (3, 2), (-2, -1), (5, 4), (9, 9), (-7, 0)])
    def test_to_picture(self, mask, uv, corner):
        sure = uv[0, ..., 0].copy()
        full = IuvWindow(Iuv(mask[0], uv[0], sure), corner).to_picture((9, 8))
        for row in range(8):
            for col in range(9):
                there = row - corner[1], col - corner[0]
                inside = 0 <= there[0] < 5 and 0 <= there[1] < 7 and mask[0][there]
                assert full.mask[row, col] == inside
                assert (full.uv[row, col] == (uv[0][there] if inside else 0)).all()
                assert full.confidence[row, col] == (sure[there] if inside else 0)

    def test_cut_and_lay_back(self, mask, uv):
        mask[0, 0] = mask[0, :, 0] = False
        uv[0] *= mask[0, ..., None]
        window = iuv_to_window(Iuv(mask[0], uv[0]), 0.5)
        assert window.corner_px == (1, 1) and window.score == 0.5
        full = window.to_picture(SIZE)
        assert np.array_equal(full.mask, mask[0]) and np.array_equal(full.uv, uv[0])
        rows, cols = np.nonzero(mask[0])
        expected = [cols.min() - 0.5, rows.min() - 0.5, cols.max() + 0.5, rows.max() + 0.5]
        np.testing.assert_array_equal(window.box_px(), expected)

    def test_nobody_is_refused(self):
        nobody = Iuv(np.zeros((2, 2), bool), np.zeros((2, 2, 2), np.float32))
        for wrong in (lambda: iuv_to_window(nobody), IuvWindow(nobody).box_px):
            with pytest.raises(ValueError, match=r"no visible pixel|got no pixels"):
                wrong()


class TestCropRegion:
    @pytest.mark.parametrize(
        "crop", [Crop((20.0, 14.0), 24.0, 16, 0.4), Crop((2.0, 30.0), 30.0, 16)]
    )
    def test_holds_every_pixel_that_the_crop_shows(self, crop):
        (x0, y0), (x1, y1) = crop_region(crop, (40, 36))
        y, x = np.mgrid[:36, :40]
        place = full_to_crop(crop, np.stack([x, y], axis=2).astype(float))
        shown = ((place >= -0.5) & (place < 15.5)).all(2)
        assert not np.delete(shown, np.s_[y0:y1], axis=0).any()
        assert not np.delete(shown, np.s_[x0:x1], axis=1).any()
        assert (x1 - x0) * (y1 - y0) < 40 * 36

    def test_beside_the_picture_one_pixel_is_left(self):
        assert crop_region(Crop((-50.0, 5.0), 8.0, 4), (20, 20)) == ((0, 0), (1, 11))


class TestFile:
    def test_round_trip_of_windows(self, tmp_path, mask, uv, atlas):
        windows = [
            IuvWindow(Iuv(mask[0], uv[0], uv[0, ..., 1].copy()), (3, 1), 0.5),
            IuvWindow(Iuv(mask[1, :3, :2], uv[1, :3, :2], uv[1, :3, :2, 1].copy()), (0, 7), 0.25),
        ]
        (tmp_path / "i.npz").write_bytes(windows_bytes(windows, (20, 15), atlas))
        read, size, made_for = read_windows(tmp_path / "i.npz")
        assert size == (20, 15) and made_for == atlas.content_hash
        for one, other in zip(read, windows, strict=True):
            assert one.score == other.score
            first, second = one.to_picture(size), other.to_picture(size)
            assert np.array_equal(first.mask, second.mask)
            assert np.array_equal(first.uv, second.uv)
            assert np.array_equal(first.confidence, second.confidence)

    def test_nobody_and_too_much_are_refused(self, mask, uv, atlas, monkeypatch):
        with pytest.raises(ValueError, match="nobody"):
            windows_bytes([], SIZE, atlas)
        monkeypatch.setattr("dimr.correspondence.iuv_window.MAX_BYTES", 100)
        with pytest.raises(ValueError, match="too much for one file"):
            windows_bytes([IuvWindow(Iuv(mask[0], uv[0]))], SIZE, atlas)

    def test_whole_pictures_of_several_people(self, tmp_path, mask, uv):
        read, size, made_for = read_windows(write(tmp_path, mask=mask, uv=uv))
        assert size == SIZE and made_for is None and len(read) == 2
        for person in range(2):
            assert np.array_equal(read[person].iuv.mask, mask[person])
            assert np.array_equal(read[person].iuv.uv, uv[person])

    def test_one_person_and_garbage_outside_of_the_mask(self, tmp_path, mask, uv):
        dirty = np.where(mask[0, ..., None], uv[0], np.nan).astype(np.float64)
        sure = uv[0, ..., 0].copy()
        (read,), _, _ = read_windows(write(tmp_path, mask=mask[0], uv=dirty, confidence=sure))
        assert np.array_equal(read.iuv.uv, uv[0])
        assert np.array_equal(read.iuv.confidence, sure)

    @pytest.mark.parametrize(
        ("match", "change"),
        [
            (r"leaves \[0, 1\] at \d+ of", lambda mask, uv: (mask, uv + 1)),
            ("leaves", lambda mask, uv: (mask, uv * np.float32(np.nan))),
            ("want mask", lambda mask, uv: (mask, uv[0])),
            ("but uv", lambda mask, uv: (mask, uv[:, 1:])),
            ("want mask", lambda mask, uv: (mask.astype(np.float32), uv)),
            ("want mask", lambda mask, uv: (mask, (255 * uv).astype(np.uint8))),
            ("no visible pixel", lambda mask, uv: (mask & False, uv)),
            ("want mask", lambda mask, uv: (np.array([None]), uv)),
        ],
    )
    def test_malformed_arrays_are_refused(self, tmp_path, mask, uv, match, change):
        mask, uv = change(mask, uv)
        with pytest.raises(ValueError, match=match):
            read_windows(write(tmp_path, mask=mask, uv=uv))

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"corner_px": np.zeros((1, 2), int)}, "corner_px"),
            ({"corner_px": np.full((2, 2), 1 << 20)}, "corner_px"),
            ({"picture_size_px": np.array([5])}, "picture_size_px"),
            ({"picture_size_px": np.array([-5, 3])}, "picture_size_px"),
            ({"picture_size_px": np.array([1 << 20, 1 << 20])}, "picture_size_px"),
            ({"score": np.zeros(5, np.float32)}, "score"),
            ({"score": np.array([np.nan, 1], np.float32)}, "score"),
            ({"confidence": np.zeros((2, 3, 3), np.float32)}, "confidence"),
        ],
    )
    def test_malformed_places_are_refused(self, tmp_path, mask, uv, atlas, change, match):
        windows = [IuvWindow(Iuv(mask[k], uv[k])) for k in range(2)]
        with np.load(io.BytesIO(windows_bytes(windows, SIZE, atlas))) as stored:
            arrays = dict(stored)
        with pytest.raises(ValueError, match=match):
            read_windows(write(tmp_path, **(arrays | change)))

    def test_score_survives(self, tmp_path, mask, uv, atlas):
        window = replace(IuvWindow(Iuv(mask[0], uv[0])), score=0.125)
        (tmp_path / "i.npz").write_bytes(windows_bytes([window], SIZE, atlas))
        assert read_windows(tmp_path / "i.npz")[0][0].score == 0.125
