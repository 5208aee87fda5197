import numpy as np
import pytest
from scipy.io import savemat

from dimr.surface.uv_files import load_densepose_mat, load_uv_npz

# an open box standing upright: four walls, each of two triangles; vertices 0-3 below, 4-7 above
CORNERS = [(-1, 1), (1, 1), (1, -1), (-1, -1)]
VERTICES = np.float32([(x, y, z) for y in (0, 4) for x, z in CORNERS])
FACES = np.int32(
    [
        face
        for k in range(4)
        for face in ((k, (k + 1) % 4, k + 4), ((k + 1) % 4, (k + 1) % 4 + 4, k + 4))
    ]
)
# unrolled to a strip: the seam is the edge 0-4, so these two vertices have two places each
STRIP_UV = np.float32([(k / 4, v) for v in (1.0, 0.0) for k in range(5)])
STRIP_OWNER = np.int64([0, 1, 2, 3, 0, 4, 5, 6, 7, 4])
STRIP_FACES = np.int64(
    [face for k in range(4) for face in ((k, k + 1, k + 5), (k + 1, k + 6, k + 5))]
)


def weights() -> np.ndarray:
    """Pelvis below, head above."""
    table = np.zeros((8, 24), np.float32)
    table[:4, 0] = table[4:, 15] = 1
    return table


def load(path, **options):
    return load_uv_npz(path, FACES, weights(), VERTICES, **options)


@pytest.fixture
def mmhuman(tmp_path):
    def write(**change):
        arrays = {"verts_uv": STRIP_UV, "faces_uv": STRIP_FACES, "faces": FACES} | change
        np.savez(tmp_path / "smpl_uv.npz", **arrays)
        return tmp_path / "smpl_uv.npz"

    return write


@pytest.fixture
def decomr(tmp_path):
    def write(**change):
        arrays = {
            "v_index": np.zeros((4, 4, 3), np.int64),
            "bary_weights": np.zeros((4, 4, 3), np.float32),
            "texcoords": STRIP_UV,
            "vt2v": STRIP_OWNER,
            "vt_count": np.ones(8, np.int64),
            "mask": np.ones((4, 4), np.uint8),
        } | change
        np.savez(tmp_path / "paras_h0004_w0004_BF.npz", **arrays)
        return tmp_path / "paras_h0004_w0004_BF.npz"

    return write


class TestLoadUvNpz:
    def test_mmhuman_exact(self, mmhuman):
        atlas = load(mmhuman())
        np.testing.assert_array_equal(atlas.faces, FACES)
        np.testing.assert_array_equal(atlas.face_uv, STRIP_UV[STRIP_FACES])
        np.testing.assert_array_equal(atlas.part_of_face, [0, 15] * 4)
        assert atlas.name == "smpl_uv"

    def test_decomr_finds_the_places_at_the_seam(self, decomr):
        np.testing.assert_array_equal(load(decomr()).uv_faces, STRIP_FACES)

    def test_both_files_give_the_same_map(self, mmhuman, decomr):
        np.testing.assert_array_equal(load(mmhuman()).face_uv, load(decomr()).face_uv)

    @pytest.mark.parametrize(
        ("stored", "orientation"),
        [
            (STRIP_UV * np.float32([1, -1]) + np.float32([0, 1]), "flip_v"),
            (np.stack([1 - STRIP_UV[:, 1], STRIP_UV[:, 0]], 1), "quarter_turn"),
        ],
    )
    def test_orientation(self, mmhuman, stored, orientation):
        path = mmhuman(verts_uv=stored)
        with pytest.raises(ValueError, match=f"head is not above the feet.*'{orientation}'"):
            load(path)
        atlas = load(path, orientation=orientation)
        np.testing.assert_allclose(atlas.face_uv, STRIP_UV[STRIP_FACES], atol=1e-6)

    def test_known_bad_corner_is_mended_only_in_its_file(self, tmp_path):
        # a strip with SMPL's number of faces; face 12340 points to the far end
        count = 13776 // 2
        uv = np.float32([(k / count, v) for k in range(count + 1) for v in (1, 0)])
        steps = np.arange(0, 2 * count, 2)[:, None, None]
        faces_uv = (steps + np.int64([[0, 2, 1], [2, 3, 1]])).reshape(-1, 3)
        order = np.arange(len(uv))  # numbered so that 4188 is the right entry
        order[[faces_uv[12340, 2], 4188]] = 4188, faces_uv[12340, 2]
        good = order[faces_uv]
        bad = good.copy()
        bad[12340, 2] = 7
        vertices = np.column_stack([uv[:, 0], 1 - uv[:, 1], 0 * uv[:, 0]]).astype(np.float32)
        skin = np.zeros((len(uv), 24), np.float32)
        for stored in (bad, good):
            np.savez(tmp_path / "uv.npz", verts_uv=uv[order], faces_uv=stored, faces=faces_uv)
            atlas = load_uv_npz(tmp_path / "uv.npz", faces_uv.astype(np.int32), skin, vertices)
            np.testing.assert_array_equal(atlas.uv_faces, good)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"faces": FACES[::-1]}, "faces are not those of the body"),
            ({"faces_uv": STRIP_FACES + 5}, "faces_uv points to 5 to 14 .* want 0 to 9"),
            ({"faces_uv": STRIP_FACES[:3]}, "faces_uv is"),
            ({"faces_uv": STRIP_FACES.astype(np.float32)}, "want integer"),
            ({"verts_uv": STRIP_UV * np.float32(np.nan)}, "finite"),
            ({"verts_uv": STRIP_UV * 3}, "uv_vertices: got"),
            ({"verts_uv": np.array([[{}]], object)}, "cannot read verts_uv"),
        ],
    )
    def test_refuses_malformed_mmhuman(self, mmhuman, change, message):
        with pytest.raises(ValueError, match=message):
            load(mmhuman(**change))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"vt2v": STRIP_OWNER[:4]}, "vt2v has 4 rows"),
            ({"vt2v": STRIP_OWNER + 1}, "vt2v points to"),
            ({"vt2v": np.zeros(10, np.int64)}, "gives 7 vertices no texture vertex"),
            ({"texcoords": STRIP_UV[:, :1]}, "want"),
        ],
    )
    def test_refuses_malformed_decomr(self, decomr, change, message):
        with pytest.raises(ValueError, match=message):
            load(decomr(**change))

    def test_refuses_other_files(self, tmp_path):
        np.savez(tmp_path / "other.npz", pose=np.zeros(3))
        with pytest.raises(ValueError, match="holds pose; want verts_uv"):
            load(tmp_path / "other.npz")
        (tmp_path / "text.npz").write_text("hello")
        with pytest.raises(ValueError, match=r"not a readable \.npz"):
            load(tmp_path / "text.npz")


class TestLoadDenseposeMat:
    def arrays(self, **change):
        """Walls 0 and 1 of the box as charts 1 and 8; each wall has its own four vertices."""
        square = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float)  # U, V; V grows upwards
        split = np.array([0, 1, 4, 5, 1, 2, 5, 6])
        return {
            "All_FaceIndices": np.array([[1, 1, 8, 8]], float).T,
            "All_Faces": np.array([(0, 1, 2), (1, 3, 2), (4, 5, 6), (5, 7, 6)]) + 1,
            "All_U_norm": np.tile(square[:, :1], (2, 1)),
            "All_V_norm": np.tile(square[:, 1:], (2, 1)),
            "All_vertices": split[None] + 1.0,
        } | change

    def test_exact(self, tmp_path):
        savemat(tmp_path / "UV_Processed.mat", self.arrays())
        atlas = load_densepose_mat(tmp_path / "UV_Processed.mat", weights())
        np.testing.assert_array_equal(atlas.faces, FACES[:4])
        np.testing.assert_array_equal(atlas.densepose_of_face, [1, 1, 8, 8])
        np.testing.assert_array_equal(atlas.part_of_face, [0, 15, 0, 15])
        inside = atlas.face_uv[2] * [4, 6] - [1, 1]  # chart 8: column 1, row 1
        np.testing.assert_allclose(inside, [(0.01, 0.99), (0.99, 0.99), (0.01, 0.01)], atol=1e-5)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"All_FaceIndices": np.array([[1, 1, 8, 25]])}, "All_FaceIndices points to"),
            ({"All_Faces": np.zeros((4, 3))}, "All_Faces points to"),
            ({"All_Faces": np.zeros((4, 2))}, "All_Faces has shape"),
            ({"All_vertices": np.full((1, 8), 9.0)}, "All_vertices points to"),
            ({"All_vertices": np.ones((1, 3))}, "do not agree"),
            ({"All_U_norm": np.full((8, 1), 2.0)}, "leaves"),
            ({"All_U_norm": np.full((8, 1), np.nan)}, "leaves"),
            ({"All_U_norm": "text"}, "not DensePose's surface file"),
        ],
    )
    def test_refuses_malformed(self, tmp_path, change, message):
        savemat(tmp_path / "bad.mat", self.arrays(**change))
        with pytest.raises(ValueError, match=message):
            load_densepose_mat(tmp_path / "bad.mat", weights())

    def test_refuses_other_files(self, tmp_path):
        path = tmp_path / "bad.mat"
        savemat(path, {"x": 1})
        with pytest.raises(ValueError, match="lacks the arrays All_FaceIndices"):
            load_densepose_mat(path, weights())
        for content in (b"", b"short", b"not a mat file at all" * 20):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="not DensePose's surface file"):
                load_densepose_mat(path, weights())
        with pytest.raises(ValueError, match="not DensePose's surface file"):
            load_densepose_mat(tmp_path / "missing.mat", weights())
