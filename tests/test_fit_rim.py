"""Rims of bodies on rims of masks."""

import cv2
import numpy as np
import pytest
import torch

from dimr.body.camera import WEAK, Lens, crop_lens, default_camera
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.fit import fit_to_iuv, geometry, lay_surface, rim, solve
from dimr.fit.terms import Term
from dimr.image.crop import crop_to_norm
from dimr.surface.iuv import mask_iuv
from dimr.surface.render import render_iuv
from dimr.types import Crop, Iuv, Regression

SIZE = 96
SEEN = np.ones(24, np.float32)
SHIFT = (0.03, -0.02)


def square(rows, cols):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[slice(*rows), slice(*cols)] = True
    return mask


@pytest.fixture(scope="module")
def standing(open_body) -> Regression:
    theta = np.zeros((1, 24, 3), np.float32)
    theta[0, 0] = [np.pi, 0, 0]
    theta[0, 16:18, 2] = 0.6, -0.6
    rotmats = axis_angle_to_rotmat(torch.from_numpy(theta))
    return Regression(rotmats, torch.zeros(1, 10), torch.tensor([[0.9, 0.0, 0.1]]))


@pytest.fixture(scope="module")
def shown(standing, open_body, open_atlas) -> Iuv:
    return drawn(standing, open_body, open_atlas)


def drawn(regression, body, atlas) -> Iuv:
    vertices_m = body(regression.rotmats, regression.betas).vertices_m[0].numpy()
    return render_iuv(vertices_m, atlas, regression.camera[0].numpy(), (SIZE, SIZE))[0]


def term_or_none(regression, iuv, body, atlas, seen=SEEN) -> Term | None:
    wanted = rim.rim_of(iuv.mask, WEAK)
    return rim.rim_term(regression, wanted, iuv.mask.shape, body, atlas, WEAK, seen)


def term_of(*given, **more) -> Term:
    term = term_or_none(*given, **more)
    assert term is not None
    return term


class TestRim:
    def test_a_square_has_four_sides_that_face_outwards(self):
        found = rim.rim_of(square((30, 60), (20, 70)), WEAK)
        assert len(found.normals) == 2 * (30 + 50) - 4
        rows, cols = found.pixels
        np.testing.assert_allclose(
            found.places_norm, crop_to_norm(np.stack([cols, rows], 1).astype(float), SIZE)
        )
        left = (cols == 20) & (rows > 35) & (rows < 55)
        np.testing.assert_allclose(found.normals[left], [[-1, 0]] * left.sum(), atol=1e-2)
        below = (rows == 59) & (cols > 25) & (cols < 65)
        np.testing.assert_allclose(found.normals[below], [[0, 1]] * below.sum(), atol=1e-2)

    def test_what_the_crop_cuts_off_has_no_rim(self):
        found = rim.rim_of(square((30, SIZE), (0, 40)), WEAK)
        rows, cols = found.pixels
        assert rows.max() < SIZE - 1 and cols.min() > 0
        assert (cols[rows > 40] == 39).all()

    def test_what_the_picture_cuts_off_has_no_rim(self):
        """A crop that reaches 48 of its 192 px beyond the left edge: 24 cells."""
        crop = Crop((48.0, 100.0), 192.0, 192)
        mask = square((20, 80), (24, 60))
        edge = rim.rim_of(mask, crop_lens(default_camera(300, 200), crop)).pixels[1]
        assert edge.min() > 24
        assert rim.rim_of(mask, WEAK).pixels[1].min() == 24

    def test_only_near_ones_that_face_the_same_way_are_pairs(self):
        one, other = (rim.rim_of(square((20, 80), cols), WEAK) for cols in ((40, 60), (42, 90)))
        mine, theirs = rim.pairs(one, other)
        cols = one.pixels[1][mine], other.pixels[1][theirs]
        upright = np.abs(one.normals[mine, 0]) > 0.9
        assert upright.any()
        assert (cols[0][upright] == 40).all() and (cols[1][upright] == 42).all()
        nobody = rim.rim_of(np.zeros((SIZE, SIZE), bool), WEAK)
        assert len(rim.pairs(one, nobody)[0]) == len(rim.pairs(nobody, one)[0]) == 0


class TestTerm:
    def test_it_sees_how_far_a_body_is_beside_its_mask(
        self, standing, shown, open_body, open_atlas
    ):
        beside = standing._replace(camera=standing.camera + torch.tensor([[0, *SHIFT]]))
        term = term_of(beside, shown, open_body, open_atlas)
        assert term.normals is not None
        state = geometry.State(
            beside.rotmats[0], beside.betas[0], torch.zeros(1), beside.camera[0, 1:]
        )
        posed = geometry.pose_skeleton(
            state, open_body.joints_template, open_body.joints_shapedirs, open_body.parents
        )
        gap, jacobian = solve.linearise(
            term,
            state,
            posed,
            beside.camera[0, 0],
            geometry.descendants(open_body.parents),
            WEAK,
        )
        assert gap.shape == (len(term.trust), 1) and jacobian.shape == (*gap.shape, 85)
        found = torch.linalg.lstsq(term.normals, gap).solution[:, 0]
        np.testing.assert_allclose(found, SHIFT, atol=0.008)
        torch.testing.assert_close(jacobian[:, 0, -2:], term.normals)
        assert len(term.trust) == rim.MOST
        assert term.trust.sum() > rim.RIM_SHARE * rim.MOST  # the others' weight is on them

    def test_hidden_parts_do_not_ask_where_they_end(self, standing, shown, open_body, open_atlas):
        whole = term_of(standing, shown, open_body, open_atlas)
        half = term_of(standing, shown, open_body, open_atlas, seen=SEEN / 2)
        torch.testing.assert_close(half.trust, whole.trust / 2)

    @pytest.mark.parametrize(
        ("change", "share"), [(cv2.erode, rim.BEYOND), (cv2.dilate, 1.0)], ids=["less", "more"]
    )
    def test_what_may_hide_the_body_counts_less(
        self, change, share, standing, shown, open_body, open_atlas, monkeypatch
    ):
        """A mask that ends two cells before the body, and one that ends as far beyond it."""
        mask = change(shown.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        trust = []
        for beyond in (rim.BEYOND, 1.0):
            monkeypatch.setattr(rim, "BEYOND", beyond)
            term = term_of(standing, Iuv(mask, shown.uv), open_body, open_atlas)
            trust.append(float(term.trust.sum()))
        assert trust[0] / trust[1] == pytest.approx(share, abs=0.1)

    def test_without_a_body_or_a_mask_there_is_none(self, standing, shown, open_body, open_atlas):
        nobody = mask_iuv(shown, np.zeros_like(shown.mask))
        assert term_or_none(standing, nobody, open_body, open_atlas) is None
        away = standing._replace(camera=torch.tensor([[0.9, 9.0, 9.0]]))
        assert term_or_none(away, shown, open_body, open_atlas) is None
        broken = standing._replace(camera=torch.tensor([[torch.nan, 0.0, 0.0]]))
        assert term_or_none(broken, shown, open_body, open_atlas) is None


class TestFit:
    def test_a_body_is_laid_on_its_outline(self, standing, shown, open_body, open_atlas):
        """Labels that are the wrong body's leave its arms beside the mask; the rim does not."""
        turn = torch.zeros(1, 24, 3)
        turn[0, 16:18, 2] = torch.tensor([-0.14, -0.14])
        wrong = standing._replace(rotmats=standing.rotmats @ axis_angle_to_rotmat(turn))
        mistaken = lay_surface(wrong, shown, open_body, open_atlas)
        ious = [
            overlap(drawn(each, open_body, open_atlas).mask, shown.mask)
            for each in (
                wrong,
                fit_to_iuv(wrong, mistaken, open_body, open_atlas),
                fit_to_iuv(wrong, mistaken, open_body, open_atlas, rims=True),
            )
        ]
        assert ious[1] < 0.95 and ious[2] > ious[1] + 0.01

    def test_rims_are_compared_on_demand_alone(
        self, standing, shown, open_body, open_atlas, monkeypatch
    ):
        calls = []
        monkeypatch.setattr(solve, "rim_term", lambda *given: calls.append(given))
        fit_to_iuv(standing, shown, open_body, open_atlas)
        assert not calls
        fit_to_iuv(standing, shown, open_body, open_atlas, rims=True)
        assert len(calls) == len(solve.RIM_STEPS)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_lens_knows_where_the_picture_ends():
    lens = crop_lens(default_camera(300, 200), Crop((100.0, 50.0), 100.0, 192))
    assert lens.half_norm == (3.0, 2.0)
    assert Lens(1.0, (0.0, 0.0)).half_norm == (np.inf, np.inf)
