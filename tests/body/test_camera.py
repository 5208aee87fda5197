import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.body.camera import (
    WEAK,
    PerspectiveCamera,
    crop_lens,
    default_camera,
    fit_weak,
    full_to_norm,
    project_lens,
    project_weak,
    spin_to_weak,
    weak_to_lens,
    weak_to_spin,
    weak_to_translation,
)
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


def test_the_default_camera_sees_37_degrees_across_the_diagonal():
    camera = default_camera(300, 400)
    assert camera == PerspectiveCamera(750.0, (149.5, 199.5))
    assert np.rad2deg(2 * np.arctan(250 / camera.focal_px)) == pytest.approx(36.87, abs=0.01)


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


class TestLens:
    CROP = Crop(centre_px=(250.0, 300.0), side_px=320.0, size=192)
    LENS = crop_lens(CAMERA, CROP)
    FOUND = np.float32([0.9, 0.2, -0.1])

    def points_m(self) -> np.ndarray:
        return np.random.default_rng(0).normal(0, 0.4, (30, 3)).astype(np.float32)

    def test_it_shows_what_the_picture_shows(self):
        """The whole picture's pinhole, with the translation that the camera stands for."""
        points_m = self.points_m()
        origin = np.zeros(3, np.float32)
        translation = weak_to_translation(self.FOUND, self.CROP, CAMERA, origin)
        wanted = full_to_norm(self.CROP, CAMERA.project(points_m + translation))
        seen = project_lens(torch.from_numpy(points_m), torch.from_numpy(self.FOUND), self.LENS)
        np.testing.assert_allclose(seen.numpy(), wanted, atol=1e-5)
        flat = project_weak(torch.from_numpy(points_m)[None], torch.from_numpy(self.FOUND)[None])
        assert (seen - flat[0]).abs().max() > 0.05

    def test_without_an_end_it_is_weak_perspective(self):
        points, camera = torch.from_numpy(self.points_m()), torch.from_numpy(self.FOUND)
        flat = project_weak(points[None], camera[None])[0]
        torch.testing.assert_close(project_lens(points, camera, WEAK), flat)
        torch.testing.assert_close(weak_to_lens(points, camera, WEAK), camera)

    def test_what_is_beside_or_behind_the_camera_stays_finite(self):
        points = torch.tensor([[0.1, 0.1, -5.0], [0.1, 0.1, -50.0]])
        seen = project_lens(points, torch.from_numpy(self.FOUND), self.LENS)
        assert seen.isfinite().all() and torch.equal(seen[0], seen[1])

    def test_a_close_up_lies_where_weak_perspective_has_it(self):
        """Head and shoulders of somebody whose root is far below the picture and further away."""
        rng = np.random.default_rng(1)
        head_m = torch.from_numpy(
            np.float32([0, -0.6, -0.25]) + rng.normal(0, 0.1, (40, 3)).astype(np.float32)
        )
        weak, lens = torch.tensor([2.5, 0.0, 1.4]), crop_lens(CAMERA, self.CROP)
        wanted = project_weak(head_m[None], weak[None])[0]
        found = weak_to_lens(head_m, weak, lens)
        gaps = [
            (project_lens(head_m, each, lens) - wanted).norm(dim=1).mean()
            for each in (weak, found)
        ]
        assert gaps[1] < 0.25 * gaps[0]

    @pytest.mark.parametrize("lens", [WEAK, LENS])
    def test_one_point_keeps_the_scale(self, lens):
        weak = torch.from_numpy(self.FOUND)
        for point in torch.from_numpy(self.points_m()):
            found = weak_to_lens(point[None], weak, lens)
            assert float(found[0]) == pytest.approx(0.9, abs=1e-5)
            seen = project_lens(point[None], found, lens)[0]
            torch.testing.assert_close(seen, weak[0] * point[:2] + weak[1:])

    @pytest.mark.parametrize("points", [torch.zeros(0, 3), torch.full((4, 3), torch.nan)])
    def test_where_nothing_can_be_fitted_weak_perspective_stays(self, points):
        weak = torch.from_numpy(self.FOUND)
        assert torch.equal(weak_to_lens(points, weak, self.LENS), weak)

    def test_rotated_crops_are_refused(self):
        crop = Crop(centre_px=(0.0, 0.0), side_px=200.0, size=224, angle_rad=0.3)
        with pytest.raises(ValueError, match=r"crop: got an angle of 0.3 rad"):
            crop_lens(CAMERA, crop)
