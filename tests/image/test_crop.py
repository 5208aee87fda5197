import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimr.image.crop import (
    box_iou,
    box_pixels,
    box_share,
    box_to_crop,
    crop_matrix,
    crop_picture,
    crop_to_full,
    crop_to_norm,
    full_to_crop,
    mask_box_px,
    norm_to_crop,
    pick_by_box,
    pictures_to_tensor,
    uncrop_picture,
)
from dimr.types import Crop

CROPS = st.builds(
    Crop,
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.floats(5, 1000),
    st.integers(1, 512),
    st.floats(-4, 4),
)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


class TestPoints:
    def test_full_to_crop_hand_worked(self):
        crop = Crop((10.0, 20.0), 8.0, 4)
        points = np.array([[10.0, 20.0], [6.0, 16.0], [14.0, 24.0]])
        # The centre is between the pixels 1 and 2, the window's edges at -0.5 and 3.5.
        np.testing.assert_allclose(
            full_to_crop(crop, points), [[1.5, 1.5], [-0.5, -0.5], [3.5, 3.5]]
        )

    def test_full_to_crop_turned(self):
        crop = Crop((0.0, 0.0), 4.0, 4, angle_rad=np.pi / 2)
        # The window's x axis is the picture's y axis, its y axis the picture's -x axis.
        points = np.array([[0.0, 1.0], [1.0, 0.0]])
        np.testing.assert_allclose(full_to_crop(crop, points), [[2.5, 1.5], [1.5, 0.5]])

    @given(crop=CROPS, x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
    def test_full_to_crop_and_back(self, crop, x, y):
        points = np.array([[x, y]])
        there = full_to_crop(crop, points)
        np.testing.assert_allclose(crop_to_full(crop, there), points, atol=1e-6)

    @given(crop=CROPS)
    def test_crop_matrix_keeps_shape(self, crop):
        linear = crop_matrix(crop)[:, :2]
        scale = crop.size / crop.side_px
        np.testing.assert_allclose(linear @ linear.T, scale**2 * np.eye(2), atol=1e-9 * scale**2)
        assert np.linalg.det(linear) > 0

    @pytest.mark.parametrize("size", [1, 7, 224])
    def test_norm_to_crop_edges_and_centre(self, size):
        edges = np.array([-1.0, 0.0, 1.0])
        np.testing.assert_allclose(norm_to_crop(edges, size), [-0.5, (size - 1) / 2, size - 0.5])
        np.testing.assert_allclose(crop_to_norm(norm_to_crop(edges, size), size), edges)

    def test_crop_corners_are_norm_corners(self):
        crop = Crop((3.0, 4.0), 10.0, 32, angle_rad=0.3)
        corner = crop_to_full(crop, norm_to_crop(np.array([[-1.0, -1.0]]), 32))[0]
        cos, sin = np.cos(0.3), np.sin(0.3)
        np.testing.assert_allclose(corner, [3 - 5 * cos + 5 * sin, 4 - 5 * sin - 5 * cos])


class TestCropPicture:
    def test_crop_picture_whole_square_is_itself(self):
        picture = noise(16, 16)
        crop = Crop((7.5, 7.5), 16.0, 16)
        np.testing.assert_array_equal(crop_picture(picture, crop), picture)

    def test_crop_picture_window_and_black_outside(self):
        picture = noise(16, 16) | 1
        crop = Crop((1.5, 5.5), 8.0, 8)
        window = crop_picture(picture, crop)
        np.testing.assert_array_equal(window[:, 2:], picture[2:10, :6])
        assert not window[:, :2].any()

    @pytest.mark.parametrize("seed", range(12))
    def test_crop_picture_blurs_as_if_it_blurred_all(self, seed):
        """Large windows anywhere, in and beside the picture, upright and turned."""
        rng = np.random.default_rng(seed)
        picture = cv2.resize(noise(40, 50), (500, 400))
        angle_rad = rng.uniform(-3, 3) if seed % 2 else 0.0
        centre_px = (float(rng.uniform(-50, 550)), float(rng.uniform(-50, 450)))
        crop = Crop(centre_px, float(rng.uniform(100, 700)), 48, angle_rad)
        for whole in (picture, (picture[..., 0] > 127).astype(np.float32)):
            blurred = cv2.GaussianBlur(whole, (0, 0), 0.4 * crop.side_px / crop.size)
            wanted = cv2.warpAffine(blurred, crop_matrix(crop), (48, 48), flags=cv2.INTER_LINEAR)
            scale = 1 if whole is picture else 255
            gap = scale * np.abs(crop_picture(whole, crop).astype(float) - wanted)
            assert gap.max() <= 1.01 and (gap > 0.5).mean() < 0.03

    def test_crop_picture_grey_and_flag_channels(self):
        crop = Crop((7.5, 7.5), 16.0, 8)
        assert crop_picture(noise(16, 16)[..., 0], crop).shape == (8, 8)
        labels = np.arange(256, dtype=np.float32).reshape(16, 16)
        nearest = crop_picture(labels, crop, nearest=True)
        assert np.isin(nearest, labels).all()

    @pytest.mark.parametrize("angle_rad", [0.0, 0.7, -2.0])
    @pytest.mark.parametrize("side_px", [20.0, 60.0])
    def test_crop_picture_agrees_with_full_to_crop(self, angle_rad, side_px):
        crop = Crop((30.0, 34.0), side_px, 40, angle_rad)
        y, x = np.mgrid[:64, :64]
        spot_px = np.array([33.0, 30.0])
        picture = np.exp(-((x - spot_px[0]) ** 2 + (y - spot_px[1]) ** 2) / 8).astype(np.float32)
        window = crop_picture(picture, crop)
        rows, cols = np.mgrid[:40, :40]
        found = np.array([(cols * window).sum(), (rows * window).sum()]) / window.sum()
        np.testing.assert_allclose(found, full_to_crop(crop, spot_px), atol=0.1)

    def test_crop_picture_shrinks_without_aliasing(self):
        stripes = np.zeros((256, 256), np.uint8)
        stripes[:, ::3] = 255
        small = crop_picture(stripes, Crop((127.5, 127.5), 256.0, 32))
        assert np.abs(small[2:-2, 2:-2].astype(int) - 85).max() < 10


class TestUncropPicture:
    def test_uncrop_picture_undoes_crop(self):
        picture = noise(40, 50)
        crop = Crop((20.5, 15.5), 16.0, 16)
        back = uncrop_picture(crop_picture(picture, crop), crop, (50, 40))
        assert back.shape == picture.shape
        np.testing.assert_array_equal(back[8:24, 13:29], picture[8:24, 13:29])
        back[8:24, 13:29] = 0
        assert not back.any()

    def test_uncrop_picture_of_a_smaller_map(self):
        crop = Crop((20.0, 15.0), 16.0, 32)
        at_stride_2 = np.ones((16, 16), np.uint8)
        back = uncrop_picture(at_stride_2, crop, (50, 40), nearest=True)
        rows, cols = np.nonzero(back)
        assert abs(rows.mean() - 15) <= 0.5 and abs(cols.mean() - 20) <= 0.5
        assert back.sum() == pytest.approx(16 * 16, rel=0.15)

    def test_uncrop_picture_spot_lands_where_crop_to_full_says(self):
        crop = Crop((30.0, 25.0), 24.0, 48, angle_rad=0.5)
        y, x = np.mgrid[:48, :48]
        window = np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 18).astype(np.float32)
        back = uncrop_picture(window, crop, (60, 50))
        rows, cols = np.mgrid[:50, :60]
        found = np.array([(cols * back).sum(), (rows * back).sum()]) / back.sum()
        np.testing.assert_allclose(found, crop_to_full(crop, np.array([30.0, 20.0])), atol=0.1)


class TestBoxToCrop:
    def test_box_to_crop_longer_side_and_margin(self):
        crop = box_to_crop(np.array([10.0, 20.0, 30.0, 70.0]), 256, margin=1.2)
        assert crop == Crop((20.0, 45.0), 60.0, 256, 0.0)

    @pytest.mark.parametrize("box", [[5, 0, 5, 9], [5, 9, 8, 3], [0, 0, np.nan, 4]])
    def test_box_to_crop_refuses_an_empty_box(self, box):
        with pytest.raises(ValueError, match="box_px"):
            box_to_crop(np.array(box, float), 256)


class TestBoxPixels:
    @given(data=st.data())
    def test_they_are_those_of_the_mask_that_the_box_is_of(self, data):
        size = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300))
        starts = [data.draw(st.integers(0, length - 1)) for length in size]
        ends = [
            data.draw(st.integers(start + 1, length))
            for start, length in zip(starts, size, strict=True)
        ]
        window = slice(starts[0], ends[0]), slice(starts[1], ends[1])
        mask = np.zeros(size, bool)
        mask[window] = True
        assert box_pixels(mask_box_px(mask), size) == window

    @pytest.mark.parametrize(
        ("box", "rows", "cols"),
        [
            ((2.0, 1.0, 4.0, 3.0), (1, 4), (2, 5)),  # from centre to centre
            ((2.1, 1.0, 3.9, 3.4), (1, 4), (3, 4)),
            ((2.4, 1.0, 2.6, 3.0), (1, 4), (3, 4)),  # no centre
            ((-9.0, -9.0, 99.0, 99.0), (0, 6), (0, 8)),
            ((-9.0, 20.0, -3.0, 30.0), (5, 6), (0, 1)),  # beside the picture
            ((8.0, 0.0, 8.0, 0.0), (0, 1), (7, 8)),
        ],
    )
    def test_centres_in_the_box_by_hand(self, box, rows, cols):
        assert box_pixels(np.array(box), (6, 8)) == (slice(*rows), slice(*cols))


class TestCrop:
    @pytest.mark.parametrize("side_px", [0.0, -1.0, np.nan, np.inf])
    def test_crop_refuses_a_side_that_is_not_positive(self, side_px):
        with pytest.raises(ValueError, match="side_px"):
            Crop((0.0, 0.0), side_px, 8)

    def test_crop_refuses_no_pixels(self):
        with pytest.raises(ValueError, match="size"):
            Crop((0.0, 0.0), 4.0, 0)


def test_pictures_to_tensor_keeps_pixels_in_place():
    images = torch.zeros(1, 4, 6, 3, dtype=torch.uint8)
    images[0, 1, 2, 0] = 255
    tensor = pictures_to_tensor(images)
    assert tensor.shape == (1, 3, 4, 6) and tensor[0, 0, 1, 2] == 1 and tensor.sum() == 1


def test_boxes_overlap_by_areas():
    box = np.array([0.0, 0.0, 4.0, 2.0])
    assert box_iou(box, box) == 1
    assert box_iou(box, box + np.array([2, 0, 2, 0])) == pytest.approx(4 / 12)
    assert box_iou(box, box + np.array([4, 0, 4, 0])) == 0
    assert box_iou(box, box + 10) == 0
    assert box_iou(box * 0, box * 0) == 0
    assert box_iou(np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 3, 3])) == pytest.approx(1 / 7)


class TestPickByBox:
    boxes = tuple(
        np.array(box, float) for box in ((0, 0, 100, 100), (10, 10, 30, 30), (50, 0, 60, 9))
    )

    def test_it_takes_the_largest_overlap_over_union(self):
        assert pick_by_box(self.boxes, np.array([12.0, 12, 30, 30])) == 1
        assert pick_by_box(self.boxes, np.array([0.0, 5, 90, 95])) == 0

    def test_nobody_is_meant_who_hardly_overlaps(self):
        assert pick_by_box(self.boxes, np.array([200.0, 200, 230, 230])) is None
        assert pick_by_box(self.boxes, np.array([200.0, 200, 230, 230]), least=0.0) is None
        assert pick_by_box([], np.array([0.0, 0, 1, 1])) is None
        beside = np.array([95.0, 95, 105, 105])
        assert pick_by_box(self.boxes, beside) is None
        assert pick_by_box(self.boxes, beside, least=0.0) == 0


def test_a_box_is_in_another_by_its_own_area():
    one, other = np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 4, 5])
    assert box_share(one, other) == 1 / 4 and box_share(other, one) == 1 / 12
    assert box_share(one, other + 10) == 0
    assert box_share(np.array([1.0, 1, 1, 2]), one) == 0  # no inside
