import numpy as np
import pytest

from dimr.body.model import BodyModel
from dimr.correspondence.decode import embedding_to_iuv, surface_table
from dimr.surface.atlas import load_atlas


@pytest.fixture(scope="module")
def atlas():
    return load_atlas(None)


@pytest.fixture(scope="module")
def vertices_m():
    return BodyModel.load(None).v_template.numpy()


@pytest.fixture(scope="module")
def table(atlas, vertices_m):
    return surface_table(atlas, vertices_m)


def one_hot(parts):
    return np.eye(24, dtype=np.float32)[parts - 1].transpose(2, 0, 1)


def for_all_parts(position):
    """(3, h, w) -> (24, 3, h, w): the same whatever the part."""
    return np.repeat(position[None].astype(np.float32), 24, axis=0)


def test_table_holds_each_filled_texel_once_sorted_by_part(atlas, table):
    assert table.start[25] == len(table.uv) == (atlas.texels(128).face >= 0).sum()
    assert (np.diff(table.start[1:]) > 0).all()
    assert table.start[0] == table.start[1] == 0


def test_true_embedding_gives_back_the_surface_point(atlas, vertices_m, table):
    rng = np.random.default_rng(0)
    face = rng.integers(len(atlas.faces), size=(16, 16))
    bary = rng.dirichlet([1, 1, 1], size=(16, 16)).astype(np.float32)
    position = np.einsum("hwkc,hwk->hwc", vertices_m[atlas.faces[face]], bary)
    iuv = embedding_to_iuv(
        np.ones((16, 16), np.float32),
        one_hot(atlas.densepose_of_face[face].astype(int)),
        for_all_parts(position.transpose(2, 0, 1)),
        table,
    )
    found_face, found_bary = atlas.uv_to_surface(iuv.uv.reshape(-1, 2))
    found = np.einsum("nkc,nk->nc", vertices_m[atlas.faces[found_face]], found_bary)
    distance_m = np.linalg.norm(found - position.reshape(-1, 3), axis=1)
    assert np.median(distance_m) < 0.01
    assert np.quantile(distance_m, 0.95) < 0.04
    assert (iuv.confidence == 1).all()


def test_slow_twin_agrees(table):
    rng = np.random.default_rng(1)
    parts = rng.integers(1, 25, (8, 8))
    position = rng.normal(0, 0.5, (3, 8, 8)).astype(np.float32)
    iuv = embedding_to_iuv(
        np.ones((8, 8), np.float32), one_hot(parts), for_all_parts(position), table
    )
    for row in range(8):
        for col in range(8):
            rows = slice(table.start[parts[row, col]], table.start[parts[row, col] + 1])
            distance = ((table.position_m[rows] - position[:, row, col]) ** 2).sum(1)
            np.testing.assert_array_equal(iuv.uv[row, col], table.uv[rows][distance.argmin()])


def test_pixels_below_the_threshold_are_empty(table):
    iuv = embedding_to_iuv(
        np.full((4, 4), 0.4, np.float32),
        one_hot(np.ones((4, 4), int)),
        np.zeros((24, 3, 4, 4), np.float32),
        table,
    )
    assert not iuv.mask.any() and not iuv.uv.any() and not iuv.confidence.any()


def test_position_is_that_of_the_most_probable_part(table):
    """Another part's position leads elsewhere, and is not asked."""
    position = np.full((24, 3, 1, 1), 9.0, np.float32)
    position[4, :, 0, 0] = table.position_m[table.start[5] + 3]
    iuv = embedding_to_iuv(np.ones((1, 1), np.float32), one_hot(np.array([[5]])), position, table)
    np.testing.assert_array_equal(iuv.uv[0, 0], table.uv[table.start[5] + 3])


def test_part_centres_lie_amid_their_parts(table):
    centres = table.part_centres_m
    assert centres.shape == (24, 3)
    np.testing.assert_allclose(
        centres[4], table.position_m[table.start[5] : table.start[6]].mean(0), rtol=1e-5
    )
