import hashlib
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.assets import asset_path
from dimr.surface.atlas import Atlas, load_atlas, save_atlas
from dimr.surface.parts import (
    MIRROR_DENSEPOSE,
    MIRROR_PARTS,
    PART_NAMES,
    densepose_parts,
    dominating_parts,
)
from dimr.surface.texels import rasterize_uv


def square_atlas(parts: tuple[int, int] = (0, 15)) -> Atlas:
    """The unit square, cut along the diagonal from (0, 0) to (1, 1); vertex ids as corners."""
    return Atlas(
        faces=np.int32([[0, 1, 2], [0, 2, 3]]),
        uv_vertices=np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]),
        uv_faces=np.int32([[0, 1, 2], [0, 2, 3]]),
        part_of_face=np.int8(parts),
        densepose_of_face=np.int8([2, 23]),
        name="square",
    )


def halves_atlas(parts: tuple[int, int]) -> Atlas:
    """A triangle in the left half of the map and its mirror image in the right half."""
    left = np.float32([[0.4, 0.1], [0.1, 0.9], [0.4, 0.9]])
    right = left * np.float32([-1, 1]) + np.float32([1, 0])
    return Atlas(
        faces=np.int32([[0, 1, 2], [3, 5, 4]]),
        uv_vertices=np.concatenate([left, right]),
        uv_faces=np.int32([[0, 1, 2], [3, 5, 4]]),
        part_of_face=np.int8(parts),
        densepose_of_face=np.int8([4, 3]),
        name="halves",
    )


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas()


@pytest.fixture(scope="module")
def body() -> dict[str, np.ndarray]:
    with np.load(asset_path("open_body.npz"), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("v_template", "f", "weights", "mirror_vertices")}


class TestTexels:
    def test_texels_exact_on_two_triangles(self):
        face, bary, part = square_atlas().texels(2)
        # the centres on the diagonal touch both triangles: the smaller index wins
        np.testing.assert_array_equal(face, [[0, 0], [1, 0]])
        np.testing.assert_array_equal(part, [[0, 0], [15, 0]])
        np.testing.assert_allclose(bary[0, 1], [0.25, 0.5, 0.25])  # (.75, .25) in 0, 1, 2
        np.testing.assert_allclose(bary[1, 0], [0.25, 0.25, 0.5])  # (.25, .75) in 0, 2, 3

    def test_texels_agree_with_a_slow_twin(self):
        random = np.random.default_rng(0)
        face_uv = random.random((12, 3, 2)).astype(np.float32)
        face, bary, layers = rasterize_uv(face_uv, 23)
        for row, col in np.ndindex(face.shape):
            point = np.array([(col + 0.5) / 23, (row + 0.5) / 23, 1.0])
            weights = [
                np.linalg.solve(np.vstack([corners.T.astype(float), np.ones(3)]), point)
                for corners in face_uv
            ]
            holds = [number for number, weight in enumerate(weights) if weight.min() >= 0]
            assert layers[row, col] == len(holds)
            assert face[row, col] == (holds[0] if holds else -1)
            if holds:
                np.testing.assert_allclose(bary[row, col], weights[holds[0]], atol=1e-6)

    def test_texels_are_cached_and_read_only(self):
        square = square_atlas()
        assert square.texels(4) is square.texels(4)
        with pytest.raises(ValueError, match="read-only"):
            square.texels(4).face[0, 0] = 3

    def test_face_without_area_covers_nothing(self):
        face, _, _ = rasterize_uv(np.float32([[[0, 0], [0.5, 0.5], [1, 1]]]), 8)
        assert (face == -1).all()

    def test_texels_refuses_silly_resolution(self):
        with pytest.raises(ValueError, match="resolution"):
            square_atlas().texels(0)


class TestUv:
    def test_uv_to_texel_clamps(self):
        uv = np.float32([[0, 0], [1, 1], [0.5, 0.249], [-0.1, 7]])
        col, row = square_atlas().uv_to_texel(uv, 4)
        np.testing.assert_array_equal(col, [0, 3, 2, 0])
        np.testing.assert_array_equal(row, [0, 3, 0, 3])

    def test_uv_to_surface_exact(self):
        face, bary = square_atlas().uv_to_surface(np.float32([[0.9, 0.2], [0.2, 0.9]]))
        np.testing.assert_array_equal(face, [0, 1])
        np.testing.assert_allclose(bary, [[0.1, 0.7, 0.2], [0.1, 0.2, 0.7]], atol=1e-6)

    def test_uv_beside_the_map_goes_to_the_nearest_face(self):
        face, bary = halves_atlas((1, 2)).uv_to_surface(np.float32([[0, 0.95], [1, 0.95]]))
        np.testing.assert_array_equal(face, [0, 1])
        np.testing.assert_allclose(bary.max(1), 1, atol=0.02)  # the corner at (.1, .9), mirrored
        np.testing.assert_array_equal(bary.argmax(1), [1, 2])

    def test_surface_to_uv_to_surface(self, atlas):
        random = np.random.default_rng(1)
        shown = np.unique(atlas.texels(512).face)[1:]
        face = random.choice(shown, 4000)
        bary = random.dirichlet([1, 1, 1], 4000).astype(np.float32)
        uv = atlas.surface_to_uv(face, bary)
        found, found_bary = atlas.uv_to_surface(uv)
        back = atlas.surface_to_uv(found, found_bary)
        assert np.abs(back - uv).max() < 2 / 512
        assert (found == face).mean() > 0.99
        same = found == face
        np.testing.assert_allclose(found_bary[same], bary[same], atol=2e-3)

    def test_positions_follow_the_mesh(self):
        square = square_atlas()
        vertices = np.float32([[0, 0, 5], [1, 0, 5], [1, 1, 5], [0, 1, 5]])
        places = square.positions(vertices, 8)
        centre = (np.arange(8) + 0.5) / 8
        np.testing.assert_allclose(places[..., 0], np.tile(centre, (8, 1)), atol=1e-6)
        np.testing.assert_allclose(places[..., 1], np.tile(centre[:, None], 8), atol=1e-6)
        np.testing.assert_allclose(places[..., 2], 5)
        assert (halves_atlas((1, 2)).positions(np.ones((6, 3)), 8)[0] == 0).all()

    def test_positions_refuses_another_mesh(self):
        with pytest.raises(ValueError, match="vertices: got 3, want at least 4"):
            square_atlas().positions(np.zeros((3, 3)), 8)


class TestSymmetric:
    def test_symmetric_needs_mirrored_parts(self):
        assert halves_atlas((1, 2)).symmetric
        assert not halves_atlas((1, 1)).symmetric
        assert not square_atlas().symmetric

    def test_symmetric_sees_a_moved_face(self):
        halves = halves_atlas((1, 2))
        moved = halves.uv_vertices.copy()
        moved[3:, 1] -= 0.05
        other = Atlas(
            faces=halves.faces,
            uv_vertices=moved,
            uv_faces=halves.uv_faces,
            part_of_face=halves.part_of_face,
            densepose_of_face=halves.densepose_of_face,
            name="moved",
        )
        assert not other.symmetric


class TestContentHash:
    def test_content_hash_depends_on_arrays_only(self):
        one, same = square_atlas(), square_atlas()
        object.__setattr__(same, "name", "renamed")
        assert one.content_hash == same.content_hash
        assert len(one.content_hash) == hashlib.sha256().digest_size * 2
        assert one.content_hash != square_atlas((0, 14)).content_hash


class TestFiles:
    def test_save_load(self, tmp_path):
        square = square_atlas()
        save_atlas(square, tmp_path / "square.npz")
        again = load_atlas(tmp_path / "square.npz")
        assert again.content_hash == square.content_hash
        assert again.name == "square"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"uv_faces": np.int32([[0, 1, 4], [0, 2, 3]])}, "uv_faces: got 0 to 4, want 0 to 3"),
            ({"uv_vertices": np.float32([[0, 0], [1.5, 0], [1, 1], [0, 1]])}, "uv_vertices"),
            ({"uv_vertices": np.float32([[0, 0], [np.nan, 0], [1, 1], [0, 1]])}, "NaN"),
            ({"uv_vertices": np.zeros((4, 3), np.float32)}, "uv_vertices has shape"),
            ({"part_of_face": np.int8([0, 24])}, "part_of_face: got 0 to 24"),
            ({"part_of_face": np.int8([0])}, "part_of_face has 1 rows, want 2"),
            ({"part_of_face": np.float32([0, 1])}, "want integer numbers"),
            ({"densepose_of_face": np.int8([0, 1])}, "densepose_of_face"),
            ({"faces": np.zeros((0, 3), np.int32)}, "uv_faces has 2 rows, want 0"),
            ({"faces": None}, "lacks the arrays faces"),
            ({"faces": np.array([[object()]])}, "cannot read faces"),
        ],
    )
    def test_load_atlas_refuses(self, tmp_path, change, message):
        square = square_atlas()
        names = ("faces", "uv_vertices", "uv_faces", "part_of_face", "densepose_of_face")
        arrays = {name: getattr(square, name) for name in names} | change
        arrays = {name: values for name, values in arrays.items() if values is not None}
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            load_atlas(tmp_path / "bad.npz")

    def test_load_atlas_refuses_broken_files(self, tmp_path):
        path = tmp_path / "bad.npz"
        for content in (b"", b"not a zip file"):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=r"not a readable \.npz"):
                load_atlas(path)
        save_atlas(square_atlas(), path)
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        entries["faces.npy"] = entries["faces.npy"][:-5]
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        with pytest.raises(ValueError, match="cannot read faces"):
            load_atlas(path)

    def test_load_atlas_refuses_a_bomb(self, tmp_path, monkeypatch):
        monkeypatch.setattr("dimr.surface.npz.MAX_BYTES", 100)
        save_atlas(square_atlas(), tmp_path / "bomb.npz")
        with pytest.raises(ValueError, match=r"faces unpacks to .* want <= 100"):
            load_atlas(tmp_path / "bomb.npz")


class TestOpenAtlas:
    """The goals that docs/atlas.md states; scripts/measure_atlas.py prints the numbers."""

    def test_belongs_to_the_open_body(self, atlas, body):
        np.testing.assert_array_equal(atlas.faces, body["f"])
        np.testing.assert_array_equal(
            atlas.part_of_face, dominating_parts(body["f"].astype(np.int32), body["weights"])
        )

    def test_all_parts_present_and_in_place(self, atlas):
        count = np.bincount(atlas.part_of_face, minlength=24)
        assert len(count) == 24 and count.min() >= 40
        np.testing.assert_array_equal(count, count[MIRROR_PARTS])
        count = np.bincount(atlas.densepose_of_face, minlength=25)
        assert count[0] == 0 and count[1:].min() >= 40
        np.testing.assert_array_equal(count, count[MIRROR_DENSEPOSE])
        part, middle = atlas.part_of_face, atlas.face_uv.mean(1)
        place = {name: middle[part == k].mean(0) for k, name in enumerate(PART_NAMES)}
        assert place["head"][1] < place["spine2"][1] < place["pelvis"][1] < place["L_foot"][1]
        for name in ("hip", "knee", "foot", "elbow", "hand"):
            assert place[f"L_{name}"][0] > 0.5 > place[f"R_{name}"][0]

    def test_fills_the_square_without_overlap(self, atlas):
        for resolution in (56, 64, 128, 1024):
            face, _, layers = rasterize_uv(atlas.face_uv, resolution)
            assert (face >= 0).mean() >= 0.65
            assert layers.max() == 1

    def test_mirror_exactly(self, atlas, body):
        assert atlas.symmetric
        face_of = {tuple(sorted(row)): number for number, row in enumerate(atlas.faces.tolist())}
        mirrored = body["mirror_vertices"][atlas.faces]
        twin = np.array([face_of[tuple(sorted(row))] for row in mirrored.tolist()])
        corner = (atlas.faces[twin][:, None] == mirrored[:, :, None]).argmax(2)
        there = np.take_along_axis(atlas.face_uv[twin], corner[..., None], 1)
        flipped = atlas.face_uv * np.float32([-1, 1]) + np.float32([1, 0])
        np.testing.assert_allclose(there, flipped, atol=1e-7)

    @settings(max_examples=50, deadline=None)
    @given(u=st.floats(0, 1, width=32), v=st.floats(0, 1, width=32))
    def test_flip_of_u_is_the_mirrored_point(self, u, v):
        atlas, vertices = open_atlas_and_vertices()
        (face, twin), bary = atlas.uv_to_surface(np.float32([[u, v], [1 - u, v]]))
        point, mirrored = (
            weights @ vertices[atlas.faces[number]]
            for number, weights in zip((face, twin), bary, strict=True)
        )
        if atlas.texels(512).face[tuple(reversed(texel_of(atlas, u, v)))] >= 0:
            np.testing.assert_allclose(point * [-1, 1, 1], mirrored, atol=0.01)

    def test_faces_keep_area_and_orientation(self, atlas):
        first, second = np.moveaxis(atlas.face_uv[:, 1:] - atlas.face_uv[:, :1], 1, 0)
        area = -0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
        assert area.min() > 1e-7  # v is down: seen from outside, faces turn clockwise


def open_atlas_and_vertices() -> tuple[Atlas, np.ndarray]:
    if not hasattr(open_atlas_and_vertices, "kept"):
        with np.load(asset_path("open_body.npz"), allow_pickle=False) as arrays:
            open_atlas_and_vertices.kept = load_atlas(), arrays["v_template"]
    return open_atlas_and_vertices.kept


def texel_of(atlas: Atlas, u: float, v: float) -> tuple[int, int]:
    col, row = atlas.uv_to_texel(np.float32([u, v]), 512)
    return int(col), int(row)


class TestParts:
    def test_dominating_parts_exact(self):
        weights = np.zeros((4, 24), np.float32)
        weights[[0, 1, 2, 3], [4, 4, 7, 7]] = 1
        faces = np.int32([[0, 1, 2], [1, 2, 3]])
        np.testing.assert_array_equal(dominating_parts(faces, weights), [4, 7])

    def test_densepose_parts_of_the_open_body(self, atlas, body):
        faces, vertices = atlas.faces, body["v_template"]
        label = densepose_parts(faces, atlas.part_of_face, vertices)
        assert (label == atlas.densepose_of_face).mean() > 0.995
        middle = vertices[faces].mean(1)
        assert middle[label == 2][:, 2].mean() > middle[label == 1][:, 2].mean()  # front, back
        assert middle[label == 24][:, 0].min() > 0 > middle[label == 23][:, 0].max()  # left, right
        for right, left in ((3, 4), (6, 5), (9, 10), (11, 12), (16, 15), (22, 21)):
            assert middle[label == left][:, 0].min() > 0 > middle[label == right][:, 0].max()
