import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.data.masks import (
    counts_to_mask,
    decompress_counts,
    load_mask,
    ochuman_mask,
    polygons_to_mask,
    segmentation_to_mask,
)


def mask_to_counts(mask: np.ndarray) -> list[int]:
    counts, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def compress(counts: list[int]) -> str:
    """COCO's text, written down from its description; the decoder's twin."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


def example() -> np.ndarray:
    mask = np.zeros((6, 5), bool)
    mask[1:4, 1:3] = True
    mask[5, 4] = True
    return mask


class TestRunLengths:
    def test_exact(self):
        counts = [7, 3, 3, 3, 13, 1]
        np.testing.assert_array_equal(counts_to_mask(counts, (6, 5)), example())

    @pytest.mark.parametrize("counts", [[7, 3, 3, 3, 13, 1], "7330:N", b"7330:N"])
    def test_all_forms_of_one_mask(self, counts):
        """The text is what COCO's own tools write for this mask."""
        found = segmentation_to_mask({"counts": counts, "size": [6, 5]}, (6, 5))
        np.testing.assert_array_equal(found, example())

    @given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
    @settings(max_examples=60, deadline=None)
    def test_round_trip(self, seed, height, width, density):
        mask = np.random.default_rng(seed).random((height, width)) < density
        counts = mask_to_counts(mask)
        assert decompress_counts(compress(counts)) == counts
        np.testing.assert_array_equal(counts_to_mask(counts, (height, width)), mask)

    @pytest.mark.parametrize("counts", [[0, 15, 16, 1000], [5, 1 << 20, 3, 1, 1 << 20, 0]])
    def test_large_numbers(self, counts):
        assert decompress_counts(compress(counts)) == counts

    @pytest.mark.parametrize(
        ("segmentation", "message"),
        [
            ({"counts": [30], "size": [5, 6]}, "size"),
            ({"size": [6, 5]}, "size"),
            ({"counts": [29], "size": [6, 5]}, "add up to 29, want 5 x 6 = 30"),
            ({"counts": [31, -1], "size": [6, 5]}, "add up"),
            ({"counts": [1e9], "size": [6, 5]}, "want whole numbers"),
            ({"counts": [1 << 62, 1 << 62], "size": [6, 5]}, "add up"),
            ({"counts": "7330:n", "size": [6, 5]}, "end within"),
            ({"counts": "73 30", "size": [6, 5]}, "does not belong"),
            ({"counts": "7330:\u00fc", "size": [6, 5]}, "add up"),
            ({"counts": "oooooooooo0", "size": [6, 5]}, "does not belong"),
        ],
    )
    def test_malformed_is_refused(self, segmentation, message):
        with pytest.raises(ValueError, match=message):
            segmentation_to_mask(segmentation, (6, 5))

    def test_huge_sizes_are_refused_before_memory_is_spent(self):
        with pytest.raises(ValueError, match="size: got"):
            counts_to_mask([10**12], (10**6, 10**6))


class TestPolygons:
    def test_square_covers_whole_pixels(self):
        """Corners at pixel edges: pixel k reaches from k to k + 1."""
        mask = polygons_to_mask([[1, 2, 4, 2, 4, 5, 1, 5]], (6, 7))
        expected = np.zeros((6, 7), bool)
        expected[2:5, 1:4] = True
        np.testing.assert_array_equal(mask, expected)

    def test_against_a_point_in_polygon_test(self):
        draw = np.random.default_rng(0)
        for _ in range(5):
            points = draw.uniform(-5, 45, (7, 2))
            mask = polygons_to_mask([points.ravel().tolist()], (40, 40))
            for row, col in draw.integers(0, 40, (200, 2)):
                x, y, inside = col + 0.5, row + 0.5, False
                for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, 0), strict=True):
                    if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
                        inside = not inside
                assert mask[row, col] == inside

    def test_several_polygons_are_joined_where_they_overlap(self):
        one, other = [0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 6, 2, 6, 6, 2, 6]
        both = polygons_to_mask([one, other], (8, 8))
        assert both.sum() == 16 + 16 - 4
        np.testing.assert_array_equal(segmentation_to_mask([one, other], (8, 8)), both)

    def test_polygons_that_share_an_edge_neither_overlap_nor_gap(self):
        left, right = [0, 0, 3.3, 0, 5.7, 8, 0, 8], [3.3, 0, 8, 0, 8, 8, 5.7, 8]
        first, second = (polygons_to_mask([one], (8, 8)) for one in (left, right))
        assert not (first & second).any() and (first | second).all()

    @pytest.mark.parametrize(
        "polygon", [[], [1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, np.nan]]
    )
    def test_malformed_is_refused(self, polygon):
        with pytest.raises(ValueError, match="polygon: got"):
            polygons_to_mask([polygon], (8, 8))

    def test_no_polygon_is_nobody(self):
        assert not polygons_to_mask([], (3, 3)).any()


SEGMS = {
    "outer": [[0, 0, 8, 0, 8, 8, 0, 8]],
    "inner": [[2, 2, 5, 2, 5, 5, 2, 5]],
    "height": 10,
    "width": 9,
}


class TestOchuman:
    def test_outer_less_inner(self):
        mask = ochuman_mask(SEGMS, (10, 9))
        assert mask.sum() == 64 - 9 and not mask[2:5, 2:5].any()

    @pytest.mark.parametrize(
        ("change", "message"),
        [({"height": 9}, "is for 9 x 9"), ({"inner": None, "outer": None}, "lacks inner, outer")],
    )
    def test_malformed_is_refused(self, change, message):
        segms = {name: value for name, value in (SEGMS | change).items() if value is not None}
        with pytest.raises(ValueError, match=message):
            ochuman_mask(segms, (10, 9))


class TestPictures:
    def save(self, tmp_path, grey):
        cv2.imwrite(str(tmp_path / "m.png"), grey.astype(np.uint8))
        return tmp_path / "m.png"

    @pytest.fixture
    def truth(self):
        return np.random.default_rng(0).random((20, 17)) < 0.5

    @pytest.mark.parametrize("one", [1, 255, 200])
    def test_masks(self, tmp_path, truth, one):
        path = self.save(tmp_path, truth * one)
        np.testing.assert_array_equal(load_mask(path, (20, 17)), truth)

    def test_blurred_borders(self, tmp_path, truth):
        path = self.save(tmp_path, truth * 200 + 20)
        np.testing.assert_array_equal(load_mask(path, (20, 17)), truth)

    def test_a_label_picture_is_refused(self, tmp_path, truth):
        path = self.save(tmp_path, np.where(truth, 2, 1))
        with pytest.raises(ValueError, match="reach 2, want 0 and 1"):
            load_mask(path, (20, 17))

    def test_other_size_is_refused(self, tmp_path, truth):
        with pytest.raises(ValueError, match="is 17 x 20 pixels, want 20 x 17"):
            load_mask(self.save(tmp_path, truth), (17, 20))

    def test_missing_file_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="missing"):
            load_mask(tmp_path / "missing.png", (5, 5))
