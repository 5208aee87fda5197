"""IUVs that users made for the records of a data set."""

import cv2
import numpy as np
import pytest

from dimr.correspondence.iuv_window import IuvWindow, windows_bytes
from dimr.data.real.labels import file_iuv
from dimr.data.real.record import Record
from dimr.surface.layouts import shuffled_atlas
from dimr.types import Crop, Iuv

WIDTH, HEIGHT = 60, 50
WINDOW = Crop((29.5, 24.5), 60.0, 60)
"""The whole picture, pixel by pixel, from row -5 on."""


@pytest.fixture
def record(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return Record(
        dataset="spin",
        key="0000000",
        picture=tmp_path / "a.png",
        centre_px=WINDOW.centre_px,
        side_px=WINDOW.side_px,
        iuv=tmp_path / "a.npz",
    )


def small_window(level=0.25, corner=(20, 10)):
    shape = (12, 8)
    confidence = np.full(shape, 0.5, np.float32)
    return IuvWindow(Iuv(np.ones(shape, bool), np.full((*shape, 2), level), confidence), corner)


def read(record, atlas=None):
    return file_iuv(record, WINDOW, WINDOW.size, atlas)


def test_a_window_lies_at_its_place_in_the_picture(record, open_atlas):
    content = windows_bytes([small_window()], (WIDTH, HEIGHT), open_atlas)
    record.iuv.write_bytes(content)
    for atlas in (None, open_atlas):
        iuv = read(record, atlas)
        expected = np.zeros((60, 60), bool)
        expected[15:27, 20:28] = True
        np.testing.assert_array_equal(iuv.mask, expected)
        assert (iuv.uv[expected] == 0.25).all() and (iuv.confidence[expected] == 0.5).all()


def test_another_atlas_is_refused(record, open_atlas):
    record.iuv.write_bytes(windows_bytes([small_window()], (WIDTH, HEIGHT), open_atlas))
    with pytest.raises(ValueError, match=r"a\.npz: is on another atlas than"):
        read(record, shuffled_atlas(open_atlas, 1))


def test_several_people_are_refused(record, open_atlas):
    people = [small_window(), small_window(0.5, (40, 20))]
    record.iuv.write_bytes(windows_bytes(people, (WIDTH, HEIGHT), open_atlas))
    with pytest.raises(ValueError, match=r"a\.npz: shows 2 people"):
        read(record)


def test_files_of_another_picture_are_refused(record, open_atlas):
    np.savez(record.iuv, mask=np.ones((40, 30), bool), uv=np.zeros((40, 30, 2)))
    with pytest.raises(ValueError, match=r"a\.npz: is 30 x 40 pixels, want 60 x 50"):
        read(record)
    record.iuv.write_bytes(windows_bytes([small_window()], (WIDTH, 80), open_atlas))
    with pytest.raises(ValueError, match=r"a\.npz: is 60 x 80 pixels, want 60 x 50"):
        read(record)


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.1])
def test_places_beside_the_map_are_refused(record, value):
    uv = np.full((HEIGHT, WIDTH, 2), 0.5)
    uv[7, 8, 1] = value
    np.savez(record.iuv, mask=np.ones((HEIGHT, WIDTH), bool), uv=uv)
    with pytest.raises(ValueError, match=r"a\.npz leaves \[0, 1\] at 1 of 3000 pixels"):
        read(record)


def test_mask_and_uv_of_other_shapes_are_refused(record):
    np.savez(record.iuv, mask=np.ones((HEIGHT, WIDTH), bool), uv=np.zeros((HEIGHT, WIDTH, 3)))
    with pytest.raises(ValueError, match=r"a\.npz has mask"):
        read(record)
