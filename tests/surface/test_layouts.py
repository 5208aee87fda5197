import numpy as np
import pytest

from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.layouts import densepose_tile_atlas, shuffled_atlas, tile_to_atlas
from dimr.surface.texels import rasterize_uv


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas()


def triangle_shapes(atlas: Atlas) -> np.ndarray:
    """Edge lengths of each face on the map, relative to its longest."""
    corners = atlas.face_uv.astype(np.float64)
    lengths = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    return lengths / lengths.max(1, keepdims=True)


class TestShuffledAtlas:
    def test_same_seed_same_map(self, atlas):
        assert shuffled_atlas(atlas, 3).content_hash == shuffled_atlas(atlas, 3).content_hash
        assert shuffled_atlas(atlas, 3).content_hash != shuffled_atlas(atlas, 4).content_hash

    def test_keeps_faces_parts_and_shapes(self, atlas):
        shuffled = shuffled_atlas(atlas, 0)
        np.testing.assert_array_equal(shuffled.faces, atlas.faces)
        np.testing.assert_array_equal(shuffled.part_of_face, atlas.part_of_face)
        # charts are turned and shrunk as a whole; float32 places limit tiny faces
        assert np.abs(triangle_shapes(shuffled) - triangle_shapes(atlas)).max() < 1e-2

    def test_moves_nearly_all_and_overlaps_nothing(self, atlas):
        shuffled = shuffled_atlas(atlas, 0)
        moved = np.linalg.norm(shuffled.face_uv.mean(1) - atlas.face_uv.mean(1), axis=1)
        assert (moved > 1 / 8).mean() > 0.9
        face, _, layers = rasterize_uv(shuffled.face_uv, 512)
        assert layers.max() == 1
        assert (face >= 0).mean() > 0.4
        assert not shuffled.symmetric

    def test_one_cell_keeps_the_neighbours(self, atlas):
        whole = shuffled_atlas(atlas, 0, cells=1)
        np.testing.assert_array_equal(whole.uv_faces, atlas.uv_faces)

    def test_refuses_no_cells(self, atlas):
        with pytest.raises(ValueError, match="cells: got 0"):
            shuffled_atlas(atlas, 0, cells=0)


class TestDenseposeTileAtlas:
    def test_each_part_fills_its_own_tile(self, atlas):
        tiles = densepose_tile_atlas(atlas)
        part = atlas.densepose_of_face.astype(int) - 1
        for number in range(24):
            corners = tiles.face_uv[part == number] * [4, 6] - [number // 6, number % 6]
            np.testing.assert_allclose(corners.min((0, 1)), 0.01, atol=1e-5)
            np.testing.assert_allclose(corners.max((0, 1)), 0.99, atol=1e-5)
        assert rasterize_uv(tiles.face_uv, 512)[2].max() == 1
        assert not tiles.symmetric

    def test_tile_to_atlas_exact(self):
        part = np.array([0, 7, 23])
        places = tile_to_atlas(part, np.full((3, 1, 2), 0.5, np.float32))[:, 0]
        np.testing.assert_allclose(
            places, [[0.125, 0.5 / 6], [0.375, 1.5 / 6], [0.875, 5.5 / 6]], atol=1e-6
        )
