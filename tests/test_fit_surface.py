"""The surface of a known body under IUVs that are wrong in known ways."""

import numpy as np
import pytest
import torch

from dimr.body.camera import Lens, PerspectiveCamera, weak_to_translation
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.fit import lay_surface
from dimr.fit.surface import BODY_SHARE, SAME_PLACE_M
from dimr.image.crop import norm_to_crop
from dimr.surface.render import render_iuv
from dimr.types import Crop, Iuv, Regression

SIZE = 96


@pytest.fixture(scope="module")
def standing(open_body) -> Regression:
    theta = torch.zeros(24, 3)
    theta[0, 0] = torch.pi
    theta[16, 2], theta[17, 2] = -0.8, 0.8
    rotmats = axis_angle_to_rotmat(theta)[None]
    return Regression(rotmats, torch.zeros(1, 10), torch.tensor([[0.9, 0.0, 0.1]]))


@pytest.fixture(scope="module")
def seen(standing, open_body, open_atlas) -> Iuv:
    vertices = open_body(standing.rotmats, standing.betas).vertices_m[0].numpy()
    iuv, _ = render_iuv(vertices, open_atlas, standing.camera[0].numpy(), (SIZE, SIZE))
    return Iuv(iuv.mask, iuv.uv, np.where(iuv.mask, np.float32(0.7), np.float32(0)))


def gap_m(found: Iuv, wanted: Iuv, body, atlas) -> np.ndarray:
    """Of the pixels of both, in the rest pose."""
    both = found.mask & wanted.mask
    places = []
    for iuv in (found, wanted):
        face, bary = atlas.uv_to_surface(iuv.uv[both])
        corners = body.v_template.numpy()[atlas.faces[face]]
        places.append(np.einsum("nk,nkx->nx", bary, corners))
    return np.linalg.norm(places[0] - places[1], axis=1)


def test_what_is_right_already_stays(standing, seen, open_body, open_atlas):
    laid = lay_surface(standing, seen, open_body, open_atlas)
    assert np.array_equal(laid.mask, seen.mask)
    assert np.array_equal(laid.confidence, seen.confidence)
    assert np.percentile(gap_m(laid, seen, open_body, open_atlas), 99) < 0.01


def test_a_body_close_to_the_camera_is_drawn_as_the_lens_shows_it(standing, open_body, open_atlas):
    lens = Lens(1.6, (0.0, 1.0))
    vertices = open_body(standing.rotmats, standing.betas).vertices_m[0]
    at_origin = Crop((0.0, 0.0), 2.0, 2)  # normalised coordinates are pixels
    pinhole = PerspectiveCamera(lens.focal_norm, lens.middle_norm)
    translation = weak_to_translation(
        standing.camera[0].numpy(), at_origin, pinhole, np.zeros(3, np.float32)
    )
    in_pixels = PerspectiveCamera(
        lens.focal_norm * SIZE / 2, tuple(norm_to_crop(np.array(lens.middle_norm), SIZE))
    )
    iuv, _ = render_iuv(vertices.numpy() + translation, open_atlas, in_pixels, (SIZE, SIZE))
    seen = Iuv(iuv.mask, iuv.uv, iuv.mask.astype(np.float32))
    gaps = [
        np.percentile(gap_m(lay_surface(standing, seen, *of), seen, *of[:2]), 99)
        for of in ((open_body, open_atlas), (open_body, open_atlas, lens))
    ]
    assert gaps[1] < 0.01 < gaps[0]


def test_sides_that_are_exchanged_come_right(standing, seen, open_body, open_atlas):
    """The mirrored uv is the other arm or leg; near the middle it is the same place, nearly."""
    mirrored = seen.uv.copy()
    mirrored[..., 0] = np.where(seen.mask, 1 - mirrored[..., 0], 0)
    wrong = Iuv(seen.mask, mirrored, seen.confidence)
    before = gap_m(wrong, seen, open_body, open_atlas)
    after = gap_m(lay_surface(standing, wrong, open_body, open_atlas), seen, open_body, open_atlas)
    far = before > SAME_PLACE_M + 0.01
    assert far.mean() > 0.3
    assert after[far].max() < 0.01
    assert after.mean() < 0.3 * before.mean()


def test_what_is_nearly_right_is_a_mean_of_both(standing, seen, open_body, open_atlas):
    """All pixels show what lies some pixels further down: seven tenths of that are mended."""
    moved = seen.uv.copy()
    moved[:-3] = seen.uv[3:]
    both = seen.mask.copy()
    both[:-3] &= seen.mask[3:]
    wrong = Iuv(both, np.where(both[..., None], moved, np.float32(0)))
    before = gap_m(wrong, seen, open_body, open_atlas)
    after = gap_m(lay_surface(standing, wrong, open_body, open_atlas), seen, open_body, open_atlas)
    near = (before < SAME_PLACE_M - 0.01) & (before > 0.01)
    assert near.mean() > 0.8
    share = after[near] / before[near]
    assert np.median(share) == pytest.approx(1 - BODY_SHARE, abs=0.06)


def test_pixels_beside_the_body_show_the_nearest_of_it(standing, seen, open_body, open_atlas):
    everywhere = Iuv(np.ones((SIZE, SIZE), bool), np.full((SIZE, SIZE, 2), 0.5, np.float32))
    laid = lay_surface(standing, everywhere, open_body, open_atlas)
    rows, cols = np.nonzero(seen.mask)
    for row, col in ((0, 0), (50, 2), (95, 60)):
        nearest = np.argmin((rows - row) ** 2 + (cols - col) ** 2)
        here, there = laid.uv[row, col], seen.uv[rows[nearest], cols[nearest]]
        assert np.linalg.norm(here - there) < 0.1


@pytest.mark.parametrize("what", ["body", "iuv"])
def test_nobody_changes_nothing(standing, seen, open_body, open_atlas, what):
    nobody = Iuv(np.zeros((SIZE, SIZE), bool), np.zeros((SIZE, SIZE, 2), np.float32))
    if what == "body":
        away = standing._replace(camera=torch.tensor([[0.9, 9.0, 9.0]]))
        assert lay_surface(away, seen, open_body, open_atlas) is seen
    else:
        assert lay_surface(standing, nobody, open_body, open_atlas) is nobody
