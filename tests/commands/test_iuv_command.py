import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import dimr.image.load
import dimr.predict
from dimr import cli
from dimr.body.camera import PerspectiveCamera
from dimr.body.model import BodyModel
from dimr.correspondence.iuv_window import iuv_to_window, read_windows, windows_bytes
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.densepose_file import load_densepose_surface
from dimr.surface.render import rasterize_mesh, render_iuv
from dimr.surface.uv_files import load_densepose_mat
from dimr.surface.uv_table import load_table
from dimr.types import Iuv
from fake_densepose import fake_smpl, write_densepose_mat

CAMERA = PerspectiveCamera(150.0, (39.5, 49.5))
SIZE = (100, 80)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(None)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas(None)


@pytest.fixture(scope="module")
def vertices_cam_m(body) -> np.ndarray:
    return body.v_template.numpy() * np.float32([1, -1, -1]) + np.float32([0, 0.2, 3.5])


@pytest.fixture(scope="module")
def truth(vertices_cam_m, atlas) -> Iuv:
    return render_iuv(vertices_cam_m, atlas, CAMERA, SIZE)[0]


@pytest.fixture
def own(tmp_path, truth, atlas):
    """A file of ours with one person."""
    path = tmp_path / "own.npz"
    path.write_bytes(windows_bytes([iuv_to_window(truth)], SIZE[::-1], atlas))
    return path


def dimr_iuv(*arguments):
    return CliRunner().invoke(cli.app, ["iuv", *map(str, arguments)])


def refused(*arguments) -> str:
    result = dimr_iuv(*arguments)
    assert isinstance(result.exception, ValueError), result.output
    return str(result.exception)


def works(*arguments) -> str:
    result = dimr_iuv(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


class TestTableAndConvert:
    def test_densepose_picture_becomes_the_open_iuv(
        self, tmp_path, body, atlas, truth, vertices_cam_m, monkeypatch
    ):
        """DensePose's labels of a known body, rendered with the fake licensed files, come back."""
        monkeypatch.setattr("dimr.surface.uv_table.DENSEPOSE_RESOLUTION", 96)
        fake = fake_smpl(body, shape=0.0, bumps_m=0.0)
        smpl = fake.write(tmp_path / "smpl.npz")
        write_densepose_mat(tmp_path / "UV_Processed.mat", fake, atlas)
        table = tmp_path / "table.npz"
        out = works("table", tmp_path / "UV_Processed.mat", smpl, "-o", table)
        assert "mm RMS" in out and str(table) in out
        assert "exists" in refused("table", tmp_path / "UV_Processed.mat", smpl, "-o", table)

        # the picture: chart and its (U, V) of what each pixel of the true body shows
        chart = np.zeros(SIZE, int)
        inside = np.zeros((*SIZE, 2))
        raster = rasterize_mesh(vertices_cam_m, atlas.faces, CAMERA, SIZE)
        chart[truth.mask] = atlas.densepose_of_face[raster.face[truth.mask]]
        for number in np.unique(chart[truth.mask]):
            corners = atlas.face_uv[atlas.densepose_of_face == number]
            low, high = corners.min((0, 1)), corners.max((0, 1))
            of = chart == number
            inside[of] = (truth.uv[of] - low) / (high - low)
        inside[truth.mask, 1] = 1 - inside[truth.mask, 1]  # V grows upwards
        stacked = np.concatenate([chart[..., None], np.rint(inside * 255)], 2).astype(np.uint8)
        picture = tmp_path / "dp.png"
        cv2.imwrite(str(picture), stacked)

        assert "dimr iuv table" in refused("convert", picture, tmp_path / "o.npz")
        out = works("convert", picture, tmp_path / "o.npz", "--table", table)
        assert "channels vui, densepose" in out and "atlas open_atlas" in out
        (window,), size, made_for = read_windows(tmp_path / "o.npz")
        assert size == SIZE[::-1] and made_for == atlas.content_hash
        found = window.to_picture(size)
        np.testing.assert_array_equal(found.mask, truth.mask)
        rest_m = body.v_template.numpy()

        def points_m(uv):
            face, bary = atlas.uv_to_surface(uv)
            return np.einsum("nkx,nk->nx", rest_m[atlas.faces[face]], bary)

        gap_m = points_m(found.uv[truth.mask]) - points_m(truth.uv[truth.mask])
        gap_mm = 1000 * np.linalg.norm(gap_m, axis=1)
        assert np.median(gap_mm) < 15 and np.quantile(gap_mm, 0.95) < 60

    def test_table_to_the_users_own_map(self, tmp_path, body, atlas, monkeypatch):
        """DensePose's charts on SMPL to the tiles that are made of them: the same skin exactly."""
        monkeypatch.setattr("dimr.surface.uv_table.DENSEPOSE_RESOLUTION", 96)
        fake = fake_smpl(body)
        smpl = fake.write(tmp_path / "smpl.npz")
        mat = tmp_path / "root/body/UV_Processed.mat"
        mat.parent.mkdir(parents=True)
        write_densepose_mat(mat, fake, atlas)
        out = works("table", mat, smpl, "--data", tmp_path / "root", "-o", tmp_path / "t.npz")
        assert "bodies differ" not in out and "to atlas UV_Processed" in out
        tiles = load_densepose_mat(mat, fake.content["weights"])
        table = load_table(tmp_path / "t.npz", tiles)
        surface = load_densepose_surface(mat, len(fake.content["weights"]))
        chosen = np.arange(0, len(surface.faces), 50)
        middle = surface.chart_uv[surface.split_faces[chosen]].mean(1)
        face, bary = tiles.uv_to_surface(table.lookup(surface.chart[chosen], middle))
        rest_m = fake.content["v_template"]
        found_m = np.einsum("nkx,nk->nx", rest_m[tiles.faces[face]], bary)
        gap_mm = 1000 * np.linalg.norm(found_m - rest_m[surface.faces[chosen]].mean(1), axis=1)
        assert np.median(gap_mm) < 5 and np.quantile(gap_mm, 0.95) < 15

    def test_table_of_a_global_map(self, tmp_path, body, atlas, monkeypatch):
        """MMHuman3D's file for the open body itself: the table is close to the identity."""
        monkeypatch.setattr("dimr.surface.uv_table.MAP_RESOLUTION", 128)
        uv = tmp_path / "smpl_uv.npz"
        np.savez(uv, verts_uv=atlas.uv_vertices, faces_uv=atlas.uv_faces, faces=body.faces.numpy())
        smpl = tmp_path / "smpl.npz"
        np.savez(
            smpl,
            v_template=body.v_template.numpy(),
            shapedirs=np.zeros((body.num_vertices, 3, 10), np.float32),
            J_regressor=body.J_regressor.numpy(),
            kintree_table=np.stack([np.array(body.parents) % 2**32, np.arange(24)]),
            weights=body.weights.numpy(),
            f=body.faces.numpy(),
        )
        works("table", uv, smpl, "-o", tmp_path / "t.npz")
        with np.load(tmp_path / "t.npz") as stored:
            table = stored["table_uv"]
        assert table.shape == (1, 128, 128, 2)
        filled = atlas.texels(128).part >= 0
        grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 128)] * 2), -1)
        gap = np.abs(table[0] - grid).max(-1)[filled]
        assert np.median(gap) < 0.003 and np.quantile(gap, 0.95) < 0.01
        message = refused("table", uv, smpl, "-o", tmp_path / "u.npz", "--orientation", "flip_v")
        assert "head is not above the feet" in message
        message = refused("table", uv, smpl, "-o", tmp_path / "u.npz", "--orientation", "left")
        assert "--orientation" in message

    def test_pick_one_by_box(self, tmp_path, truth, atlas):
        small = np.zeros(SIZE, bool)
        small[:10, :10] = True
        other = Iuv(small, np.where(small[..., None], [0.5, 0.5], 0).astype(np.float32))
        path = tmp_path / "two.npz"
        windows = [iuv_to_window(truth), iuv_to_window(other)]
        path.write_bytes(windows_bytes(windows, SIZE[::-1], atlas))
        assert "1 person" in works("convert", path, tmp_path / "o.npz", "--box", "0,0,9,11")
        (window,), _, _ = read_windows(tmp_path / "o.npz")
        np.testing.assert_array_equal(window.to_picture(SIZE[::-1]).mask, small)
        assert "--box: nobody" in refused(
            "convert", path, tmp_path / "p.npz", "--box", "70,90,79,99"
        )
        for box in ("1,2,3", "a,b,c,d", "5,5,1,9"):
            assert "--box: got" in refused("convert", path, tmp_path / "p.npz", "--box", box)

    def test_nothing_is_replaced_unasked(self, tmp_path, own):
        assert "exists" in refused("convert", own, own)
        before = own.read_bytes()
        works("convert", own, tmp_path / "o.npz")
        works("convert", own, tmp_path / "o.npz", "--overwrite")
        assert own.read_bytes() == before
        assert "want a .npz" in refused("convert", own, tmp_path / "o.png")

    def test_sources_of_many_pictures_need_the_picture(self, tmp_path, own):
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "a.npz").write_bytes(own.read_bytes())
        assert "--picture" in refused("convert", folder, tmp_path / "o.npz")
        cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((*SIZE, 3), np.uint8))
        works("convert", folder, tmp_path / "o.npz", "--picture", tmp_path / "a.jpg")

    def test_wrong_options(self, tmp_path, own):
        for option, value in (("--channels", "rgb"), ("--labels", "x"), ("--part-scale", "-1")):
            name = option.strip("-").replace("-", "_")
            assert name in refused("convert", own, tmp_path / "o.npz", option, value)


class TestCheck:
    def test_good_one(self, tmp_path, own):
        out = works("check", own, "--json", tmp_path / "r.json")
        assert "wrong way" in out and "read as: mask and uv on atlas open_atlas" in out
        (person,) = json.loads((tmp_path / "r.json").read_text())["people"]
        assert person["problems"] == [] and person["wrong_way"] < 0.05

    def test_swapped_one_exits_with_1(self, tmp_path, truth, atlas):
        uv = np.where(truth.mask[..., None], truth.uv * [-1, 1] + [1, 0], 0).astype(np.float32)
        path = tmp_path / "swapped.npz"
        window = iuv_to_window(Iuv(truth.mask, uv))
        path.write_bytes(windows_bytes([window], SIZE[::-1], atlas))
        result = dimr_iuv("check", path)
        assert result.exit_code == 1 and "left and right swapped" in result.output

    def test_against_a_mesh(self, tmp_path, own, body, vertices_cam_m):
        mesh = {
            "vertices_cam_m": vertices_cam_m,
            "faces": body.faces.numpy(),
            "focal_px": np.float64(CAMERA.focal_px),
            "principal_px": np.array(CAMERA.principal_px),
            "picture_size_px": np.array(SIZE[::-1]),
        }
        np.savez(tmp_path / "m.npz", **mesh)
        out = works("check", own, "--mesh", tmp_path / "m.npz")
        assert "mesh covers" in out and "100.0%" in out
        for change, message in (
            ({"picture_size_px": np.array([5, 5])}, "--mesh"),
            ({"faces": body.faces.numpy()[::-1]}, "of another body"),
            ({"vertices_cam_m": vertices_cam_m[:9]}, "has vertices"),
        ):
            np.savez(tmp_path / "m.npz", **(mesh | change))
            assert message in refused("check", own, "--mesh", tmp_path / "m.npz")
        two = ["--mesh", tmp_path / "m.npz", "--mesh", tmp_path / "m.npz"]
        assert "want one for each" in refused("check", own, *two)

    def test_impossible_uv_is_counted(self, tmp_path, truth):
        uv = truth.uv.copy()
        uv[tuple(np.argwhere(truth.mask)[0])] = 1.5
        np.savez(tmp_path / "bad.npz", mask=truth.mask, uv=uv)
        assert "leaves [0, 1] at 1 of" in refused("check", tmp_path / "bad.npz")


class TestShowAndPredict:
    def test_show_over_a_picture_and_alone(self, tmp_path, own, truth):
        grey = np.full((*SIZE, 3), 100, np.uint8)
        cv2.imwrite(str(tmp_path / "p.png"), grey)
        works("show", own, "-o", tmp_path / "a.png")
        works("show", own, "--picture", tmp_path / "p.png", "-o", tmp_path / "b.png")
        alone, over = (cv2.imread(str(tmp_path / f"{name}.png")) for name in "ab")
        assert alone.shape == over.shape == (*SIZE, 3)
        assert (over[~truth.mask] == 55).all() and (alone[~truth.mask] > 200).all()
        assert np.std(alone[truth.mask]) > 20
        assert "exists" in refused("show", own, "-o", tmp_path / "a.png")

    def test_predict_writes_what_predict_reads(self, tmp_path, truth, atlas, monkeypatch):
        asked = []

        class Stage1:
            def laid(self, lay):
                asked.append(lay())
                return self

            def find_iuvs(self, picture):
                return [iuv_to_window(truth, 0.75)] if picture.any() else []

        lay = staticmethod(lambda focal_px: focal_px)
        model = type("Model", (), {"stage1": Stage1(), "atlas": atlas, "lay": lay})()
        monkeypatch.setattr(dimr.image.load, "read_focal_px", lambda path, size: sum(size))
        monkeypatch.setattr(dimr.predict, "load", lambda *_: model)
        cv2.imwrite(str(tmp_path / "p.png"), np.full((*SIZE, 3), 100, np.uint8))
        out = works("predict", tmp_path / "p.png", "-o", tmp_path / "i.npz")
        assert "person 1: score 0.75" in out and asked == [sum(SIZE)]
        works("predict", tmp_path / "p.png", "-o", tmp_path / "plain.npz", "--no-refine")
        assert asked == [sum(SIZE)]
        assert cv2.imread(str(tmp_path / "i_drawing.png")).shape == (*SIZE, 3)
        (window,), size, _ = read_windows(tmp_path / "i.npz")
        np.testing.assert_array_equal(window.to_picture(size).uv, truth.uv)
        (tmp_path / "i.npz").unlink()
        message = refused("predict", tmp_path / "p.png", "-o", tmp_path / "i.npz")
        assert "i_drawing.png exists" in message
        cv2.imwrite(str(tmp_path / "black.png"), np.zeros((*SIZE, 3), np.uint8))
        message = refused("predict", tmp_path / "black.png", "-o", tmp_path / "j.npz")
        assert "no person found" in message
