from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimr.image.crop import crop_matrix
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import (
    encode_iuv,
    flip_iuv,
    iuv_to_picture,
    mask_iuv,
    part_seen,
    resize_iuv,
    seen_texels,
    vertex_seen,
    warp_iuv,
)
from dimr.surface.raster import rasterize
from dimr.surface.render import render_iuv
from dimr.types import Crop, Iuv

CELLS = 8


def sheet():
    """A flat square of 8 x 8 cells that faces the camera, its uv running straight across.

    Vertices are metres in [-1, 1]; the left half is part 1 and the right half part 2.
    """
    y, x = np.mgrid[: CELLS + 1, : CELLS + 1].astype(np.float32) / (CELLS / 2) - 1
    vertices = np.stack([x, y, np.full_like(x, 3)], -1).reshape(-1, 3)
    index = np.arange(len(vertices)).reshape(x.shape)
    upper_left, upper_right = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    lower_left, lower_right = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    faces = np.concatenate(
        [
            np.stack([upper_left, lower_left, lower_right], 1),
            np.stack([upper_left, lower_right, upper_right], 1),
        ]
    ).astype(np.int32)
    is_right = vertices[faces][:, :, 0].mean(1) > 0
    atlas = Atlas(
        faces=faces,
        uv_vertices=(vertices[:, :2] + 1) / 2,
        uv_faces=faces,
        part_of_face=np.where(is_right, 2, 1).astype(np.int8),
        densepose_of_face=np.ones(len(faces), np.int8),
        name="sheet",
    )
    return vertices, atlas


def random_iuv(seed, size=(12, 16), confidence=True):
    rng = np.random.default_rng(seed)
    mask = rng.random(size) < 0.6
    uv = rng.random((*size, 2), np.float32) * mask[..., None]
    return Iuv(mask, uv, rng.random(size, np.float32) * mask if confidence else None)


def assert_same(first, second, atol=0.0):
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_allclose(first.uv, second.uv, rtol=0, atol=atol)
    if first.confidence is None:
        assert second.confidence is None
    else:
        np.testing.assert_array_equal(first.confidence, second.confidence)


def assert_zero_outside(iuv):
    assert not iuv.uv[~iuv.mask].any()
    assert iuv.confidence is None or not iuv.confidence[~iuv.mask].any()
    assert iuv.uv.dtype == np.float32


SEEDS = st.integers(0, 2**32 - 1)


class TestEncodeIuv:
    def test_encode_iuv_hand_worked(self):
        vertices, atlas = sheet()
        points = vertices * [16, 16, 1] + [20, 20, 0]  # cell corners on pixels 4, 8, ..., 36
        iuv = encode_iuv(rasterize(points.astype(np.float32), atlas.faces, (40, 40)), atlas)
        rows, cols = np.nonzero(iuv.mask)
        assert (rows.min(), rows.max(), cols.min(), cols.max()) == (4, 35, 4, 35)
        expected = (np.stack([cols, rows], 1) - 4) / 32
        np.testing.assert_allclose(iuv.uv[rows, cols], expected, atol=1e-6)
        assert_zero_outside(iuv)

    def test_encode_iuv_stays_on_the_map(self):
        _, atlas = sheet()
        raster = rasterize(np.zeros((81, 3), np.float32), atlas.faces, (1, 2))
        raster.face[0, 0] = 0
        # As rounding at an edge may leave it, but larger: v = -0.5 / 8.
        raster.bary[0, 0] = [1.5, -0.5, 0.0]
        iuv = encode_iuv(raster, atlas)
        assert not iuv.uv.any()
        assert iuv.mask.tolist() == [[True, False]]


class TestMaskIuv:
    @given(seed=SEEDS)
    def test_mask_iuv_keeps_only_what_is_kept(self, seed):
        iuv = random_iuv(seed)
        keep = np.random.default_rng(seed + 1).random(iuv.mask.shape) < 0.5
        kept = mask_iuv(iuv, keep)
        np.testing.assert_array_equal(kept.mask, iuv.mask & keep)
        np.testing.assert_array_equal(kept.uv[kept.mask], iuv.uv[kept.mask])
        assert_zero_outside(kept)

    def test_mask_iuv_all_and_nothing(self):
        iuv = random_iuv(0)
        assert_same(mask_iuv(iuv, np.ones(iuv.mask.shape, bool)), iuv)
        assert not mask_iuv(iuv, np.zeros(iuv.mask.shape, bool)).uv.any()

    def test_mask_iuv_refuses_another_size(self):
        with pytest.raises(ValueError, match="keep: got shape"):
            mask_iuv(random_iuv(0), np.ones((3, 3), bool))


class TestFlipIuv:
    @given(seed=SEEDS, confidence=st.booleans())
    def test_flip_iuv_twice_is_nothing(self, seed, confidence):
        iuv = random_iuv(seed, confidence=confidence)
        assert_same(flip_iuv(flip_iuv(iuv)), iuv, atol=1e-7)
        assert_zero_outside(flip_iuv(iuv))

    def test_flip_iuv_hand_worked(self):
        iuv = Iuv(np.array([[True, False, True]]), np.array([[[0.25, 0.5], [0, 0], [0, 1]]]))
        flipped = flip_iuv(iuv)
        assert flipped.mask.tolist() == [[True, False, True]]
        assert flipped.uv.tolist() == [[[1, 1], [0, 0], [0.75, 0.5]]]

    def test_flip_iuv_equals_mirrored_scene(self):
        vertices, atlas = sheet()
        camera = np.array([0.7, 0.13, -0.06], np.float32)
        mirrored = camera * np.array([1, -1, 1], np.float32)
        # The sheet is its own mirror image, so only the camera moves.
        iuv, _ = render_iuv(vertices, atlas, camera, (33, 33))
        expected, _ = render_iuv(vertices, atlas, mirrored, (33, 33))
        assert_same(flip_iuv(iuv), expected, atol=2e-4)


class TestWarpIuv:
    @given(seed=SEEDS)
    def test_warp_iuv_identity(self, seed):
        iuv = random_iuv(seed)
        assert_same(warp_iuv(iuv, np.eye(2, 3), iuv.mask.shape), iuv)

    def test_warp_iuv_shift_and_back(self):
        iuv = random_iuv(3)
        there = warp_iuv(iuv, np.array([[1.0, 0, 5], [0, 1, 2]]), (20, 30))
        assert_zero_outside(there)
        np.testing.assert_array_equal(there.uv[2:14, 5:21], iuv.uv)
        assert there.mask.sum() == iuv.mask.sum()
        assert_same(warp_iuv(there, np.array([[1.0, 0, -5], [0, 1, -2]]), (12, 16)), iuv)

    def test_warp_iuv_zoom_and_back(self):
        iuv = random_iuv(4, size=(16, 16))
        zoom = crop_matrix(Crop((7.5, 7.5), 16.0, 48))
        there = warp_iuv(iuv, zoom, (48, 48))
        np.testing.assert_array_equal(there.mask, np.kron(iuv.mask, np.ones((3, 3), bool)))
        back = np.linalg.inv(np.vstack([zoom, [0, 0, 1]]))[:2]
        assert_same(warp_iuv(there, back, (16, 16)), iuv)

    def test_warp_iuv_quarter_turn(self):
        iuv = random_iuv(5, size=(16, 16))
        turn = crop_matrix(Crop((7.5, 7.5), 16.0, 16, angle_rad=np.pi / 2))
        warped = warp_iuv(iuv, turn, (16, 16))
        # The window's x axis is the picture's y axis: columns of the crop are rows going down.
        np.testing.assert_array_equal(warped.uv, np.rot90(iuv.uv))

    def test_warp_iuv_outside_is_empty(self):
        far = np.array([[1.0, 0, 1000], [0, 1, 0]])
        warped = warp_iuv(random_iuv(6), far, (9, 9))
        assert not warped.mask.any()
        assert_zero_outside(warped)


class TestResizeIuv:
    @given(seed=SEEDS, factor=st.integers(1, 4))
    def test_resize_iuv_up_and_down_again(self, seed, factor):
        iuv = random_iuv(seed)
        large = resize_iuv(iuv, (12 * factor, 16 * factor))
        np.testing.assert_array_equal(
            large.mask, np.kron(iuv.mask, np.ones((factor, factor), bool))
        )
        assert_same(resize_iuv(large, (12, 16)), iuv)

    @given(seed=SEEDS, height=st.integers(1, 30), width=st.integers(1, 30))
    def test_resize_iuv_equals_warp_by_the_resize_rule(self, seed, height, width):
        iuv = random_iuv(seed)
        scale_y, scale_x = height / 12, width / 16
        # x_new = (x + 0.5) * scale - 0.5, and a hair to the right: ties go up in both.
        matrix = np.array([[scale_x, 0, 0.5 * scale_x - 0.5], [0, scale_y, 0.5 * scale_y - 0.5]])
        matrix[:, 2] -= 1e-9
        assert_same(resize_iuv(iuv, (height, width)), warp_iuv(iuv, matrix, (height, width)))

    def test_resize_iuv_refuses_nothing(self):
        with pytest.raises(ValueError, match="size"):
            resize_iuv(random_iuv(0), (0, 4))


class TestSeen:
    def test_whole_sheet_is_seen(self):
        vertices, atlas = sheet()
        iuv, _ = render_iuv(vertices, atlas, np.array([1, 0, 0], np.float32), (128, 128))
        assert seen_texels(iuv, atlas).all()
        shares = part_seen(iuv, atlas)
        assert shares.tolist() == [0, 1, 1] + [0] * 21
        assert vertex_seen(iuv, atlas, len(vertices)).all()

    def test_nobody_is_seen(self):
        vertices, atlas = sheet()
        nobody = Iuv(np.zeros((8, 8), bool), np.zeros((8, 8, 2), np.float32))
        assert not seen_texels(nobody, atlas).any()
        assert not part_seen(nobody, atlas).any()
        assert not vertex_seen(nobody, atlas, len(vertices)).any()

    def test_pixels_beside_the_charts_count_for_nothing(self):
        vertices, atlas = sheet()
        corner = replace(atlas, uv_vertices=atlas.uv_vertices / 2)
        iuv = Iuv(np.ones((1, 2), bool), np.float32([[[0.1, 0.1], [0.9, 0.9]]]))
        assert np.argwhere(seen_texels(iuv, corner)).tolist() == [[6, 6]]
        assert part_seen(iuv, corner).sum() == pytest.approx(1 / (16 * 32))
        assert vertex_seen(iuv, corner, len(vertices)).sum() <= 4

    def test_half_of_a_part_is_seen(self):
        vertices, atlas = sheet()
        iuv, _ = render_iuv(vertices, atlas, np.array([1, 0, 0], np.float32), (128, 128))
        left_quarter = np.broadcast_to(np.arange(128) < 32, (128, 128))
        hidden = mask_iuv(iuv, left_quarter)
        np.testing.assert_allclose(part_seen(hidden, atlas)[1:3], [0.5, 0])
        seen = vertex_seen(hidden, atlas, len(vertices)).reshape(CELLS + 1, CELLS + 1)
        # Texel column 16 (u = 0.25, the third vertex column) is next to the last seen one, 15.
        np.testing.assert_array_equal(seen, np.broadcast_to(np.arange(9) <= 2, (9, 9)))

    def test_vertex_seen_margin_stays_in_its_part(self):
        vertices, atlas = sheet()
        # On an 8 x 8 map a cell is a texel; (4, 4) is the first of part 2 in its row.
        iuv = Iuv(np.ones((1, 1), bool), np.full((1, 1, 2), 0.51, np.float32))
        assert np.argwhere(seen_texels(iuv, atlas, 8)).tolist() == [[4, 4]]
        seen = vertex_seen(iuv, atlas, len(vertices), 8).reshape(CELLS + 1, CELLS + 1)
        # Vertices of column 3 are as near as those of 5, but have no face of part 2.
        expected = [[row, col] for row in (3, 4, 5) for col in (4, 5)]
        assert np.argwhere(seen).tolist() == expected


class TestIuvToPicture:
    def test_iuv_to_picture_is_black_beside_the_person_alone(self):
        iuv = random_iuv(0)
        picture = iuv_to_picture(iuv)
        assert not picture[~iuv.mask].any()
        assert picture[iuv.mask].any(axis=1).all()

    def test_iuv_to_picture_is_smooth_and_tells_sides_apart(self):
        line = np.linspace(0, 1, 400, dtype=np.float32)
        for axis in (0, 1):
            uv = np.full((1, 400, 2), 0.5, np.float32)
            uv[0, :, axis] = line
            colours = iuv_to_picture(Iuv(np.ones((1, 400), bool), uv))[0].astype(int)
            assert np.abs(np.diff(colours, axis=0)).max() <= 4
            assert np.abs(colours[0] - colours[-1]).sum() > 150
