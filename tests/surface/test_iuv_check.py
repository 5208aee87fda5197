import numpy as np
import pytest
import torch

from dimr.body.camera import PerspectiveCamera
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.iuv import mask_iuv
from dimr.surface.iuv_check import KnownMesh, check_iuv
from dimr.surface.render import render_iuv
from dimr.types import Iuv

SIZE = (256, 200)
CAMERA = PerspectiveCamera(400.0, (99.5, 127.5))


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(None)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas(None)


@pytest.fixture(scope="module")
def rest_m(body):
    return body.v_template.numpy()


def posed_m(body: BodyModel, yaw: float) -> np.ndarray:
    """Arms a little down, legs walking, turned by yaw, 3.5 m away."""
    theta = torch.zeros(24, 3)
    theta[16, 2], theta[17, 2], theta[1, 0], theta[2, 0] = -0.9, 0.9, 0.3, -0.3
    rotmats = axis_angle_to_rotmat(theta)
    turn = axis_angle_to_rotmat(torch.tensor([0.0, yaw, 0.0]))
    rotmats[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ turn
    with torch.no_grad():
        vertices = body(rotmats[None], torch.zeros(1, 10)).vertices_m[0].numpy()
    return vertices - vertices.mean(0) + np.float32([0, 0, 3.5])


def swapped(iuv: Iuv) -> Iuv:
    """Left labelled as right: what a detector confuses."""
    uv = iuv.uv.copy()
    uv[..., 0] = np.where(iuv.mask, 1 - uv[..., 0], 0)
    return Iuv(iuv.mask, uv)


@pytest.mark.parametrize("yaw", [0.0, 1.2, 3.1, -1.8])
def test_true_iuv_has_no_problems_from_any_side(body, atlas, rest_m, yaw):
    vertices = posed_m(body, yaw)
    iuv, _ = render_iuv(vertices, atlas, CAMERA, SIZE)
    report = check_iuv(iuv, atlas, rest_m, KnownMesh(vertices, CAMERA))
    assert report.problems == [] and report.wrong_way_parts == []
    assert report.pixels == iuv.mask.sum() and report.parts_seen > 15
    assert report.wrong_way < 0.05 and report.jumps < 0.1 and report.loose == 0
    assert report.beside_charts < 0.01
    assert report.mesh_covers == 1 and report.mesh_median_mm < 1


@pytest.mark.parametrize("yaw", [0.0, 1.2, 3.1])
def test_left_for_right_is_found(body, atlas, rest_m, yaw):
    iuv, _ = render_iuv(posed_m(body, yaw), atlas, CAMERA, SIZE)
    report = check_iuv(swapped(iuv), atlas, rest_m)
    assert report.wrong_way > 0.9
    assert any("left and right" in problem for problem in report.problems)


def test_one_leg_left_for_right_is_named(body, atlas, rest_m):
    iuv, _ = render_iuv(posed_m(body, 0.0), atlas, CAMERA, SIZE)
    part = np.full(SIZE, -1)
    cols, rows = atlas.uv_to_texel(iuv.uv[iuv.mask], 256)
    part[iuv.mask] = atlas.texels(256).part[rows, cols]
    leg = np.isin(part, (2, 5))  # the right one
    iuv.uv[leg] = swapped(iuv).uv[leg]
    report = check_iuv(iuv, atlas, rest_m)
    assert report.wrong_way < 0.5
    assert set(report.wrong_way_parts) == {"L_hip", "L_knee"}
    assert any("L_hip" in problem for problem in report.problems)


def test_eight_bits_are_enough(body, atlas, rest_m):
    iuv, _ = render_iuv(posed_m(body, 0.4), atlas, CAMERA, SIZE)
    coarse = Iuv(iuv.mask, np.rint(iuv.uv * 255).astype(np.float32) / 255)
    assert check_iuv(coarse, atlas, rest_m).wrong_way < 0.1
    assert check_iuv(swapped(coarse), atlas, rest_m).wrong_way > 0.9


def test_noise_fragments_and_empty_places(atlas, rest_m):
    draw = np.random.default_rng(0)
    mask = draw.random((60, 60)) < 0.3
    uv = np.where(mask[..., None], draw.random((60, 60, 2)), 0).astype(np.float32)
    report = check_iuv(Iuv(mask, uv), atlas, rest_m)
    filled = (atlas.texels(512).part >= 0).mean()
    assert report.beside_charts == pytest.approx(1 - filled, abs=0.06)
    assert report.jumps > 0.8 and report.loose > 0.5 and report.pieces > 20
    text = " ".join(report.problems)
    assert "map is empty" in text and "fragments" in text and "noise" in text


def test_pieces_are_counted(body, atlas, rest_m):
    iuv, _ = render_iuv(posed_m(body, 0.0), atlas, CAMERA, SIZE)
    keep = np.ones(SIZE, bool)
    keep[120:130] = False  # a bar across both legs or the hips
    report = check_iuv(mask_iuv(iuv, keep), atlas, rest_m)
    above, below = iuv.mask[:120].sum(), iuv.mask[130:].sum()
    assert report.pieces >= 2
    assert report.loose >= min(above, below) / (above + below) - 1e-9


def test_disagreement_with_a_mesh(body, atlas, rest_m):
    iuv, _ = render_iuv(posed_m(body, 0.0), atlas, CAMERA, SIZE)
    aside = KnownMesh(posed_m(body, 0.0) + np.float32([1.2, 0, 0]), CAMERA)
    report = check_iuv(iuv, atlas, rest_m, aside)
    assert report.mesh_covers < 0.3 and "the mesh covers" in report.problems[-1]
    turned = KnownMesh(posed_m(body, np.pi), CAMERA)
    report = check_iuv(iuv, atlas, rest_m, turned)
    assert report.mesh_median_mm > 100 and "mm off on the mesh" in report.problems[-1]


def test_nobody_is_refused(atlas, rest_m):
    nobody = Iuv(np.zeros((4, 4), bool), np.zeros((4, 4, 2), np.float32))
    with pytest.raises(ValueError, match="no visible pixel"):
        check_iuv(nobody, atlas, rest_m)


def test_single_pixel(atlas, rest_m):
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = True
    uv = np.where(mask[..., None], [0.5, 0.5], 0).astype(np.float32)
    assert check_iuv(Iuv(mask, uv), atlas, rest_m).wrong_way == 0
