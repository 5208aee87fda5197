import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.body.camera import (
    PerspectiveCamera,
    default_focal_px,
    fit_translation,
    fit_weak,
    full_to_norm,
    project_weak,
    spin_to_weak,
    weak_to_spin,
    weak_to_translation,
)
from dimr.image.crop import crop_to_full, norm_to_crop
from dimr.types import Crop

CAMERA = PerspectiveCamera(focal_px=800.0, principal_px=(319.5, 239.5))


def test_perspective_projection_by_hand():
    points = np.array([[0.0, 0.0, 2.0], [1.0, -0.5, 4.0]])
    expected = [[319.5, 239.5], [319.5 + 200, 239.5 - 100]]
    np.testing.assert_allclose(CAMERA.project(points), expected)


def test_perspective_projection_keeps_type_and_leading_axes():
    points = np.ones((2, 5, 3), dtype=np.float32)
    projected = CAMERA.project(points)
    assert projected.shape == (2, 5, 2) and projected.dtype == np.float32


def test_default_focal_sees_53_degrees_across_the_diagonal():
    focal = default_focal_px(300, 400)
    assert focal == 500
    assert np.rad2deg(2 * np.arctan(250 / focal)) == pytest.approx(53.13, abs=0.01)


def test_project_weak_translates_after_scaling():
    points = torch.tensor([[[1.0, 2.0, 9.0]]])
    camera = torch.tensor([[0.5, 0.1, -0.2]])
    torch.testing.assert_close(project_weak(points, camera), torch.tensor([[[0.6, 0.8]]]))


def test_spin_and_weak_cameras_are_inverse_and_project_alike():
    camera = torch.tensor([[0.8, 0.2, -0.1], [2.0, 0.0, 0.5]])
    torch.testing.assert_close(spin_to_weak(weak_to_spin(camera)), camera)
    points = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    spin = weak_to_spin(camera)
    as_spin = spin[:, None, :1] * (points[..., :2] + spin[:, None, 1:])
    torch.testing.assert_close(project_weak(points, camera), as_spin)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 5), st.floats(-2, 2), st.floats(-2, 2))
def test_fit_weak_recovers_the_camera(scale, tx, ty):
    points = np.random.default_rng(0).normal(size=(12, 3))
    norm = scale * points[:, :2] + [tx, ty]
    np.testing.assert_allclose(fit_weak(points, norm), [scale, tx, ty], atol=1e-5)


def test_fit_weak_of_a_single_place_is_finite():
    assert np.isfinite(fit_weak(np.ones((3, 3)), np.ones((3, 2)))).all()


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_weak_to_translation_lays_the_root_on_its_ray_at_the_right_scale(angle):
    crop = Crop(centre_px=(250.0, 300.0), side_px=320.0, size=224, angle_rad=angle)
    camera = np.array([0.9, 0.2, -0.1], dtype=np.float32)
    root = np.array([0.01, -0.2, 0.03], dtype=np.float32)
    translation = weak_to_translation(camera, crop, CAMERA, root)
    root_px = CAMERA.project((root + translation)[None])[0]
    norm = full_to_norm(crop, root_px[None].astype(np.float64))[0]
    np.testing.assert_allclose(norm, camera[0] * root[:2] + camera[1:], atol=1e-5)
    # a metre across at the root's depth is s * side / 2 pixels
    across = CAMERA.project((root + translation + [1, 0, 0])[None])[0] - root_px
    np.testing.assert_allclose(across, [0.9 * 160, 0], atol=1e-3)


def test_weak_to_translation_agrees_with_spin_for_a_central_crop():
    crop = Crop(centre_px=CAMERA.principal_px, side_px=200.0, size=224)
    camera = np.array([1.1, 0.0, 0.0], dtype=np.float32)
    translation = weak_to_translation(camera, crop, CAMERA, np.zeros(3, dtype=np.float32))
    np.testing.assert_allclose(translation, [0, 0, 2 * 800 / (200 * 1.1)], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_weak_to_translation_refuses_scales_that_are_not_positive(scale):
    crop = Crop(centre_px=(0.0, 0.0), side_px=200.0, size=224)
    camera = np.array([scale, 0.0, 0.0], dtype=np.float32)
    with pytest.raises(ValueError, match="positive scale"):
        weak_to_translation(camera, crop, CAMERA, np.zeros(3, dtype=np.float32))


def test_full_to_norm_by_hand():
    crop = Crop(centre_px=(99.5, 49.5), side_px=100.0, size=50)
    corners = np.array([[99.5, 49.5], [49.5, -0.5], [149.5, 99.5]])
    np.testing.assert_allclose(full_to_norm(crop, corners), [[0, 0], [-1, -1], [1, 1]], atol=1e-6)


def test_fit_translation_finds_where_points_are():
    rng = np.random.default_rng(0)
    points_m = rng.normal(0, 0.4, (30, 3)).astype(np.float32)
    translation = np.float32([0.3, -0.2, 2.5])
    found = fit_translation(points_m, CAMERA.project(points_m + translation), CAMERA)
    assert found == pytest.approx(translation, abs=1e-3)


def test_fit_translation_lays_a_close_up_where_weak_perspective_does():
    """Head and shoulders of somebody whose root is far below the picture and further away."""
    rng = np.random.default_rng(1)
    head_m = np.float32([0, -0.6, -0.25]) + rng.normal(0, 0.1, (40, 3)).astype(np.float32)
    camera = np.float32([2.5, 0.0, 1.4])
    crop = Crop(CAMERA.principal_px, 400.0, 192)
    wanted_px = crop_to_full(crop, norm_to_crop(camera[0] * head_m[:, :2] + camera[1:], 192))
    gaps = []
    for translation in (
        weak_to_translation(camera, crop, CAMERA, np.zeros(3, np.float32)),
        fit_translation(head_m, wanted_px, CAMERA),
    ):
        gap = CAMERA.project(head_m + translation) - wanted_px
        gaps.append(np.linalg.norm(gap, axis=1).mean())
    assert gaps[1] < 0.25 * gaps[0]
