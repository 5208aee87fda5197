import numpy as np
import pytest

from dimr.correspondence.people import (
    centre_peaks,
    group_pixels,
    hidden_piece,
    mark_others,
    mask_to_detection,
    unexplained_piece,
)

SIDE = 96


def picture_of(*boxes):
    """Perfect maps of rectangular people given as (x0, y0, x1, y1) at stride 2."""
    person = np.zeros((SIDE, SIDE), np.float32)
    centre = np.zeros((SIDE // 2, SIDE // 2), np.float32)
    offset = np.zeros((2, SIDE, SIDE), np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    for x0, y0, x1, y1 in boxes:
        person[y0:y1, x0:x1] = 0.9
        middle = (x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2
        centre[round((middle[1] - 0.5) / 2), round((middle[0] - 0.5) / 2)] = 0.8
        offset[0, y0:y1, x0:x1] = ((middle[0] - x) / SIDE)[y0:y1, x0:x1]
        offset[1, y0:y1, x0:x1] = ((middle[1] - y) / SIDE)[y0:y1, x0:x1]
    offset = offset.reshape(2, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4))  # boxes are even
    return person, centre, offset


class TestGroupPixels:
    def test_touching_people_are_kept_apart(self):
        people = group_pixels(*picture_of((10, 20, 40, 80), (40, 20, 70, 80)))
        assert len(people) == 2
        masks = [mask for _, mask in people]
        assert not (masks[0] & masks[1]).any()
        assert sorted(int(mask.sum()) for mask in masks) == [1800, 1800]
        assert {int(np.nonzero(mask)[1].min()) for mask in masks} == {10, 40}

    def test_score_is_the_mean_of_centre_and_pixels(self):
        ((score, _),) = group_pixels(*picture_of((10, 20, 40, 80)))
        assert score == pytest.approx(np.sqrt(0.8 * 0.9), abs=1e-5)

    def test_nobody(self):
        assert group_pixels(*picture_of()) == []

    def test_pixels_without_a_centre_are_nobody(self):
        person, centre, offset = picture_of((10, 20, 40, 80))
        assert group_pixels(person, centre * 0, offset) == []

    def test_specks_are_dropped(self):
        person, centre, offset = picture_of((10, 20, 40, 80))
        person[2, 90] = 0.9
        ((_, mask),) = group_pixels(person, centre, offset)
        assert mask.sum() == 1800 and not mask[2, 90]

    def test_fewer_pixels_than_the_minimum_are_nobody(self):
        assert group_pixels(*picture_of((10, 20, 13, 23))) == []


def test_centre_peaks_are_local_maxima_best_first():
    centre = np.zeros((48, 48), np.float32)
    centre[10, 12], centre[11, 12], centre[30, 40] = 0.5, 0.3, 0.9
    assert centre_peaks(centre).tolist() == [[30, 40], [10, 12]]


def test_detection_box_reaches_the_outer_edges():
    mask = np.zeros((20, 30), bool)
    mask[3:7, 5:6] = True
    detection = mask_to_detection(0.5, mask)
    np.testing.assert_array_equal(detection.box_px, [4.5, 2.5, 5.5, 6.5])


class TestMarkOthers:
    def test_everybody_knows_the_others_but_not_what_they_share(self):
        masks = np.zeros((3, 4, 6), bool)
        masks[0, :, :3] = masks[1, :, 2:4] = masks[2, :, 5] = True
        first, second, third = mark_others([mask_to_detection(1.0, mask) for mask in masks])
        assert first.others[0].tolist() == [False, False, False, True, False, True]
        assert second.others[0].tolist() == [True, True, False, False, False, True]
        assert third.others[0].tolist() == [True, True, True, True, False, False]

    def test_who_is_alone_has_no_others(self):
        alone = mask_to_detection(1.0, np.ones((4, 4), bool))
        assert mark_others([alone]) == [alone]
        assert alone.others is None


def block(x0, x1):
    mask = np.zeros((60, 100), bool)
    mask[20:40, x0:x1] = True
    return mask


class TestUnexplainedPiece:
    def test_the_largest_piece_beside_somebody(self):
        everyone = block(10, 60) | block(80, 99)
        piece = unexplained_piece(everyone, block(10, 30), 50.0, 1)
        assert np.array_equal(piece, block(31, 60))

    def test_a_piece_apart_from_everybody_is_none(self):
        assert unexplained_piece(block(10, 30) | block(50, 90), block(10, 30), 50.0, 1) is None

    def test_a_rim_is_none(self):
        assert unexplained_piece(block(9, 31), block(10, 30), 1.0, 1) is None

    def test_small_pieces_are_none(self):
        everyone, claimed = block(10, 60), block(10, 30)
        assert unexplained_piece(everyone, claimed, 580.0, 1) is not None
        assert unexplained_piece(everyone, claimed, 581.0, 1) is None

    def test_nobody_known_explains_nothing(self):
        assert unexplained_piece(block(10, 60), block(0, 0), 1.0, 1) is None


class TestHiddenPiece:
    def test_it_is_large_beside_those_who_are_known(self):
        known = [mask_to_detection(1.0, block(10, 30)), mask_to_detection(0.4, block(90, 94))]
        claimed = block(10, 30) | block(90, 94)
        # a seventh of the 400 pixels of the larger one: three columns beside the rim of one
        assert hidden_piece(known, block(10, 33), claimed) is None
        assert hidden_piece(known, block(10, 35), claimed) is not None

    def test_nobody_known_hides_nobody(self):
        assert hidden_piece([], block(10, 60), np.zeros((60, 100), bool)) is None
