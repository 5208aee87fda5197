"""What is pasted hides picture and truth alike; marks, limbs and mirrors."""

import numpy as np
import pytest

from dimr.image.crop import full_to_crop, picture_centre_px
from dimr.train import pasting
from dimr.train.pasting import (
    LIMBLESS,
    MIRRORED,
    OutlineCrop,
    augmented,
    behind_somebody,
    behind_thing,
    covered,
    mirrored,
    window_near,
    without_limbs,
)

SIDE = 96
"""Of labels; the picture has twice as many pixels."""
GREY, BRIGHT = 100, 200


def crop(rows=(20, 80), columns=(35, 60), value: int = GREY) -> OutlineCrop:
    """A block somewhere in a plain picture, with one limb down its middle."""
    visible = np.zeros((SIDE, SIDE), np.float32)
    visible[slice(*rows), slice(*columns)] = 1
    limb = np.zeros_like(visible)
    middle = sum(columns) // 2
    limb[slice(*rows), middle - 3 : middle + 3] = 1
    marks = np.stack([visible, 0 * visible, limb, 0 * limb])
    return OutlineCrop(np.full((2 * SIDE, 2 * SIDE, 3), value, np.uint8), marks, visible)


def cutout() -> np.ndarray:
    """Opaque in the middle; its colour goes on beyond."""
    rgba = np.full((60, 90, 4), BRIGHT, np.uint8)
    rgba[..., 3] = 0
    rgba[8:-8, 8:-8, 3] = 255
    return rgba


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def cover_of(image: np.ndarray) -> np.ndarray:
    """Which share of each label pixel shows what is bright, read from a picture of two colours."""
    alpha = (image[..., 0].astype(np.float32) - GREY) / (BRIGHT - GREY)
    return alpha.reshape(SIDE, 2, SIDE, 2).mean((1, 3))


@pytest.fixture
def same_light(monkeypatch):
    monkeypatch.setattr(pasting, "shaded", lambda picture, rng: picture)


class TestPasted:
    @pytest.mark.parametrize("seed", range(8))
    def test_things_hide_picture_and_truth_alike(self, same_light, seed):
        before = crop()
        after = behind_thing(before, cutout(), rng(seed))
        assert after is not before
        cover = cover_of(after.image)
        assert cover.max() > 0.9 and cover.min() == 0
        np.testing.assert_allclose(after.visible, before.visible * (1 - cover), atol=0.02)
        assert (after.marks[1:] == before.marks[1:]).all()

    @pytest.mark.parametrize("seed", range(8))
    def test_people_hide_picture_and_truth_alike(self, seed):
        before = crop()
        after = behind_somebody(before, crop((30, 66), (38, 58), BRIGHT), rng(seed))
        assert after is not before
        cover = cover_of(after.image)
        np.testing.assert_allclose(after.visible, before.visible * (1 - cover), atol=0.02)
        assert (after.marks[2] == before.marks[2]).all()
        others = after.marks[3] > 0.5
        assert others.any() and cover[others].mean() > 0.9  # their limb is in their outline

    @pytest.mark.parametrize("seed", range(4))
    def test_somebody_comes_with_their_own_pixels(self, seed):
        """Picture, outline and limbs are moved, turned and scaled in the same way."""
        before = crop((0, SIDE), (0, SIDE))
        other = crop()
        seen = other.visible.repeat(2, 0).repeat(2, 1) > 0
        image = np.where(seen[..., None], BRIGHT, 0).astype(np.uint8) + np.zeros(3, np.uint8)
        marks = other.marks.copy()
        marks[2] = other.visible
        after = behind_somebody(before, OutlineCrop(image, marks, other.visible), rng(seed))
        cover = 1 - after.visible
        inside = after.image[..., 0].reshape(SIDE, 2, SIDE, 2).mean((1, 3))[cover > 0.99]
        assert len(inside) > 50 and (inside > 0.9 * BRIGHT).all()
        np.testing.assert_allclose(after.marks[3], cover, atol=0.15)

    def test_the_mark_knows_of_some_things(self):
        before = crop()
        known = []
        for seed in range(200):
            after = behind_thing(before, cutout(), rng(seed))
            hidden = (before.visible > 0.99) & (after.visible < 0.01)
            if hidden.any():
                marked = after.marks[0][hidden]
                assert (marked < 0.01).all() or (marked == 1).all()
                known.append(marked[0] < 0.5)
        assert len(known) > 100 and np.mean(known) == pytest.approx(0.4, abs=0.12)

    def test_the_marks_know_of_some_people(self):
        """As another, as one with who is meant, as that one, or not at all."""
        before, other = crop(), crop(value=BRIGHT)
        cases = []
        for seed in range(300):
            after = behind_somebody(before, other, rng(seed))
            theirs = cover_of(after.image) > 0.99
            theirs &= before.visible == 0
            if theirs.sum() < 100:
                continue
            own, known = after.marks[:2, theirs].mean(1) > 0.5
            of_mine = after.marks[0][after.visible > 0.99].mean() > 0.5
            cases.append("known" if known else "none" if not own else "both"[: 4 * of_mine])
        share = {case: cases.count(case) / len(cases) for case in set(cases)}
        wanted = {"known": 0.35, "both": 0.25, "": 0.15, "none": 0.25}
        assert share == pytest.approx(wanted, abs=0.09)

    def test_what_hides_too_much_is_not_pasted(self):
        before = crop()
        picture = np.full_like(before.image, BRIGHT)
        alpha = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
        alpha[2 * 20 : 2 * 67] = 1  # 13 of 60 rows are left
        assert covered(before, picture, alpha) is not None
        alpha[2 * 67 : 2 * 69] = 1
        assert covered(before, picture, alpha) is None
        few = crop((20, 26), (40, 48))
        assert covered(few, picture, 0 * alpha) is not None
        alpha[:] = 0
        alpha[2 * 20 : 2 * 22] = 1  # 32 of 48 label pixels are left
        assert covered(few, picture, alpha) is None

    def test_somebody_who_is_not_seen_is_not_pasted(self):
        before, other = crop(), crop(value=BRIGHT)
        other = other._replace(visible=0 * other.visible)
        assert behind_somebody(before, other, rng()) is before

    def test_it_is_pasted_near_who_is_meant_in_some_size(self):
        before, size_px = crop(), (50, 80)
        spots = 2 * np.argwhere(before.visible > 0.5)[:, ::-1] + 0.5
        gaps, extents = [], []
        for seed in range(100):
            window = window_near(before, size_px, (0.2, 0.8), rng(seed))
            middle = full_to_crop(window, np.array(picture_centre_px(*size_px)))
            gaps.append(np.linalg.norm(spots - middle, axis=1).min())
            extents.append(80 / window.side_px)
        assert np.mean(gaps) < 12 and max(gaps) < 60
        assert min(extents) >= 0.2 and max(extents) <= 0.8 and max(extents) > 3 * min(extents)


def test_mirrored_in_all_of_it():
    draw = rng()
    before = OutlineCrop(
        draw.integers(0, 255, (2 * SIDE, 2 * SIDE, 3), np.uint8),
        draw.random((4, SIDE, SIDE), np.float32),
        draw.random((SIDE, SIDE), np.float32),
    )
    after = mirrored(before)
    assert (after.image[:, 0] == before.image[:, -1]).all()
    assert (after.marks[:, :, 0] == before.marks[:, :, -1]).all()
    assert (after.visible[:, 0] == before.visible[:, -1]).all()
    for once, twice in zip(before, mirrored(after), strict=True):
        assert (once == twice).all()


def test_limbs_are_forgotten():
    before = crop()
    after = without_limbs(before)
    assert not after.marks[2:].any() and before.marks[2].any()
    assert (after.marks[:2] == before.marks[:2]).all()


class TestAugmented:
    def test_shares_of_what_happens(self):
        """With nothing to paste, picture and truth change by light and mirror alone."""
        before = crop()
        after = [augmented(before, [], [], rng(seed)) for seed in range(300)]
        flipped = [(each.visible == before.visible[:, ::-1]).all() for each in after]
        for each, is_flipped in zip(after, flipped, strict=True):
            assert is_flipped or (each.visible == before.visible).all()
        assert np.mean(flipped) == pytest.approx(MIRRORED, abs=0.1)
        limbless = np.mean([not each.marks[2].any() for each in after])
        assert limbless == pytest.approx(LIMBLESS, abs=0.05)
        lit = np.mean([(each.image != GREY).any() for each in after])
        assert lit == pytest.approx(0.5, abs=0.1)

    def test_people_and_things_hide_some(self):
        before, other = crop(), crop(value=BRIGHT)
        for others, things, share in (([other], [], 0.25), ([], [cutout()], 0.3)):
            after = [augmented(before, others, things, rng(seed)) for seed in range(300)]
            less = np.mean([each.visible.sum() < before.visible.sum() for each in after])
            assert less == pytest.approx(share, abs=0.08)
            assert all((each.visible > 0.5).sum() >= 40 for each in after)

    def test_it_leaves_what_it_is_given_and_repeats(self):
        before, other = crop(), crop(value=BRIGHT)
        kept = [each.copy() for each in (*before, *other)]
        for seed in range(40):
            first, second = (augmented(before, [other], [cutout()], rng(seed)) for _ in range(2))
            assert all((a == b).all() for a, b in zip(first, second, strict=True))
            assert first.image.dtype == np.uint8
            assert first.marks.dtype == first.visible.dtype == np.float32
            assert first.marks.min() >= 0 and first.marks.max() <= 1
        assert all((a == b).all() for a, b in zip(kept, (*before, *other), strict=True))
