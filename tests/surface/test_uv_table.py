from dataclasses import replace

import numpy as np
import pytest

from dimr.body.model import BodyModel
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.densepose_file import DensePoseSurface, load_densepose_surface
from dimr.surface.layouts import shuffled_atlas
from dimr.surface.uv_table import (
    UvTable,
    densepose_table,
    load_table,
    map_table,
    same_mesh_uv,
    table_bytes,
)
from fake_densepose import fake_smpl, write_densepose_mat

# a square of two triangles, cut along its diagonal on the atlas: vertices 0 and 2 lie twice
FACES = np.int32([(0, 1, 2), (2, 3, 0)])
ATLAS = Atlas(
    faces=FACES,
    uv_vertices=np.float32([(0, 0), (0.4, 0), (0.4, 0.4), (0.6, 0.6), (1, 1), (0.6, 1)]),
    uv_faces=np.int32([(0, 1, 2), (4, 5, 3)]),
    part_of_face=np.int8([0, 0]),
    densepose_of_face=np.int8([2, 2]),
    name="cut",
)
# the same square as chart 2, in one piece; the file starts the first face at another corner
SURFACE = DensePoseSurface(
    faces=np.int64([(1, 2, 0), (2, 3, 0)]),
    chart=np.int64([2, 2]),
    split_faces=np.int64([(1, 2, 0), (2, 3, 0)]),
    chart_uv=np.float64([(0, 0), (1, 0), (1, 1), (0, 1)]),
)


@pytest.fixture
def table() -> UvTable:
    return densepose_table(SURFACE, same_mesh_uv(SURFACE.faces, ATLAS), ATLAS)


class TestDensePoseTable:
    def test_exact_at_nodes(self, table):
        chart = np.full(4, 2)
        uv = np.float32([(0.8, 0.2), (0.6, 0.4), (0.2, 0.8), (0.4, 0.6)])
        # below the diagonal 0.4 (U, V); above it (1, 1) is at (1, 1), (0, 1) at (0.6, 1), (0, 0)
        # at (0.6, 0.6)
        expected = [(0.32, 0.08), (0.24, 0.16), (0.68, 0.92), (0.76, 0.84)]
        np.testing.assert_allclose(table.lookup(chart, uv), expected, atol=1e-5)

    def test_seam_is_decided_by_the_face(self, table):
        """On both sides of the cut the place is on the face's own piece, never between."""
        draw = np.random.default_rng(0)
        uv = draw.random((2000, 2))
        uv = uv[np.abs(uv[:, 0] - uv[:, 1]) > 1 / 100]
        found = table.lookup(np.full(len(uv), 2), uv)
        below = uv[:, 0] > uv[:, 1]
        assert found[below].max() <= 0.4 + 1e-6
        assert found[~below].min() >= 0.6 - 1e-6
        assert not ((found > 0.4 + 1e-6) & (found < 0.6 - 1e-6)).any()

    def test_beside_the_chart_the_nearest_is_taken(self):
        small = replace_chart(np.float64([(0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5)]))
        table = densepose_table(small, same_mesh_uv(small.faces, ATLAS), ATLAS)
        found = table.lookup(np.full(2, 2), np.float32([(1, 0), (0.5, 0.25)]))
        np.testing.assert_allclose(found[0], found[1], atol=0.01)

    def test_chart_smaller_than_a_node(self):
        tiny = replace_chart(0.3 + SURFACE.chart_uv / 1e5)
        table = densepose_table(tiny, same_mesh_uv(tiny.faces, ATLAS), ATLAS)
        found = table.lookup(np.array([2]), np.float32([(0.9, 0.1)]))
        np.testing.assert_allclose(found[0], [0.8 / 3, 0.4 / 3], atol=1e-6)

    def test_face_that_the_atlas_lacks_takes_the_nearest(self, monkeypatch):
        monkeypatch.setattr("dimr.surface.uv_table.MAX_LOST_SHARE", 0.5)
        half = replace(ATLAS, faces=np.int32([(0, 1, 2), (2, 3, 1)]))
        table = densepose_table(SURFACE, same_mesh_uv(SURFACE.faces, half), half)
        assert table.lookup(np.array([2]), np.float32([(0, 1)])).max() <= 0.4 + 1e-6

    def test_out_of_range_is_clamped_and_charts_are_checked(self, table):
        wild = np.float32([(7, -3), (np.nan, 0)])
        inside = np.float32([(1, 0), (0, 0)])
        chart = np.full(2, 2)
        np.testing.assert_array_equal(table.lookup(chart, wild), table.lookup(chart, inside))
        for number in (0, 25):
            with pytest.raises(ValueError, match=f"chart: got {number} to {number}, want 1 to 24"):
                table.lookup(np.array([number]), np.zeros((1, 2)))

    def test_atlas_of_another_mesh_is_refused(self):
        other = replace(ATLAS, faces=FACES[:, [0, 1, 1]])
        with pytest.raises(ValueError, match="atlas 'cut' is of another mesh: 2 of 2"):
            same_mesh_uv(SURFACE.faces, other)

    def test_map_of_smpl_through_a_file(self, tmp_path):
        """A whole body: DensePose's file and an atlas of the same mesh, with cuts everywhere."""
        body, atlas = BodyModel.load(None), load_atlas(None)
        fake = fake_smpl(body)
        write_densepose_mat(tmp_path / "UV_Processed.mat", fake, atlas)
        faces = fake.content["f"].astype(np.int32)
        own = shuffled_atlas(of_fake(fake, faces, atlas), seed=1)
        count = len(fake.content["weights"])
        surface = load_densepose_surface(tmp_path / "UV_Processed.mat", count)
        table = densepose_table(surface, same_mesh_uv(surface.faces, own), own)
        middle = surface.chart_uv[surface.split_faces].mean(1)
        found = table.lookup(surface.chart, middle)
        # the file keeps the faces' order here, so face k of the atlas is face k of the file
        expected = own.face_uv.mean(1)
        gap = np.abs(found - expected).max(1)
        # a node is 1/255 of a chart; what lies within one of a cut may land on the other side
        assert np.median(gap) < 0.001 and (gap < 0.02).mean() > 0.93


def replace_chart(chart_uv: np.ndarray) -> DensePoseSurface:
    return replace(SURFACE, chart_uv=chart_uv)


def of_fake(fake, faces: np.ndarray, atlas: Atlas) -> Atlas:
    """The open map carried over to the fake SMPL's triangles."""
    place = np.einsum("fkc,fjk->fjc", atlas.face_uv[fake.open_face], fake.open_bary)
    return Atlas(
        faces=faces,
        uv_vertices=np.clip(place.reshape(-1, 2), 0, 1).astype(np.float32),
        uv_faces=np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3),
        part_of_face=atlas.part_of_face[fake.open_face],
        densepose_of_face=atlas.densepose_of_face[fake.open_face],
        name="fake",
    )


def test_map_table_to_itself_is_the_identity():
    atlas = load_atlas(None)
    table = map_table(atlas, same_mesh_uv(atlas.faces, atlas), atlas)
    texels = atlas.texels(100)
    rows, cols = np.nonzero(texels.face >= 0)
    uv = ((np.stack([cols, rows], 1) + 0.5) / 100).astype(np.float32)
    gap = np.abs(table.lookup(np.ones(len(uv), int), uv) - uv).max(1)
    assert np.quantile(gap, 0.99) <= 0.51 / 511 + 1e-4


class TestFile:
    def test_round_trip(self, tmp_path, table):
        (tmp_path / "t.npz").write_bytes(table_bytes(table))
        read = load_table(tmp_path / "t.npz", ATLAS)
        np.testing.assert_array_equal(read.uv, table.uv)
        assert read.atlas_hash == ATLAS.content_hash

    def test_table_of_another_atlas_is_refused(self, tmp_path, table):
        (tmp_path / "t.npz").write_bytes(table_bytes(table))
        with pytest.raises(ValueError, match=r"for atlas 'cut', want atlas .*dimr iuv table"):
            load_table(tmp_path / "t.npz", load_atlas(None))

    @pytest.mark.parametrize(
        ("uv", "message"),
        [
            (np.zeros((5, 4, 4, 2)), "has shape"),
            (np.zeros((1, 4, 5, 2)), "has shape"),
            (np.zeros((1, 1, 1, 2)), "has shape"),
            (np.full((1, 4, 4, 2), np.nan), "leaves"),
            (np.full((1, 4, 4, 2), 1.5), "leaves"),
            (np.zeros((1, 4, 4, 2), int), "want floating"),
        ],
    )
    def test_malformed_tables_are_refused(self, tmp_path, uv, message):
        np.savez(tmp_path / "t.npz", table_uv=uv, atlas_hash=ATLAS.content_hash, atlas_name="cut")
        with pytest.raises(ValueError, match=message):
            load_table(tmp_path / "t.npz", ATLAS)
