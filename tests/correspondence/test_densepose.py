import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from dimr.correspondence.densepose import (
    DensePoseInstance,
    check_boxes,
    decode_charts,
    instance_to_window,
    instances_to_windows,
    parts_to_iuv,
)
from dimr.surface.uv_table import UvTable


@pytest.fixture
def table() -> UvTable:
    """Part p at (U, V) goes to (p / 25, U): easy to recognise."""
    grid = np.linspace(0, 1, 256, dtype=np.float32)
    uv = np.empty((24, 256, 256, 2), np.float32)
    uv[..., 0] = (np.arange(1, 25, dtype=np.float32) / 25)[:, None, None]
    uv[..., 1] = grid[None, None, :]
    return UvTable(uv, "hash", "toy")


def instance(box=(2.9, 3.2, 6.0, 8.4), score=0.9, shape=(5, 3)) -> DensePoseInstance:
    part = np.zeros(shape, np.int64)
    part[1, 1], part[2, 2] = 7, 24
    uv = np.full((*shape, 2), 0.25, np.float32)
    return DensePoseInstance(np.array(box), score, part, uv)


class TestDecode:
    def test_against_the_plain_recipe(self):
        draw = torch.Generator().manual_seed(0)
        coarse = torch.randn(2, 12, 12, generator=draw)
        fine, u, v = (torch.randn(25, 12, 12, generator=draw) for _ in range(3))
        box = np.array([3.7, 4.2, 33.9, 50.1])  # 30 x 45 pixels

        size = (45, 30)

        def resize(maps):
            return interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]

        part = resize(fine).argmax(0) * (resize(coarse).argmax(0) > 0)
        u, v = u.clone(), v.clone()
        expected = torch.stack(
            [resize(maps).gather(0, part[None])[0].clamp(0, 1) for maps in (u, v)], -1
        )
        found = decode_charts(coarse, fine, u, v, box, 0.5)
        np.testing.assert_array_equal(found.part, part)
        inside = found.part > 0
        assert 0.1 < inside.mean() < 0.9
        np.testing.assert_allclose(found.chart_uv[inside], expected[inside], atol=1e-6)
        assert (found.chart_uv[~inside] == 0).all()

    def test_box_without_size_has_one_pixel(self):
        maps = torch.zeros(25, 4, 4)
        found = decode_charts(maps[:2], maps, maps, maps, np.array([5.0, 5, 5.2, 5.9]), 1.0)
        assert found.part.shape == (1, 1)


class TestToWindow:
    def test_place_and_coordinates(self, table):
        full = instance_to_window(instance(), table).to_picture((20, 10))
        assert np.argwhere(full.mask).tolist() == [[4, 3], [5, 4]]  # row 3 + 1, column 2 + 1
        np.testing.assert_allclose(full.uv[4, 3], [7 / 25, 64 / 255], atol=1e-6)
        np.testing.assert_allclose(full.uv[5, 4], [24 / 25, 64 / 255], atol=1e-6)

    def test_labels_beyond_the_picture_are_cut_off(self, table):
        full = instance_to_window(instance(), table).to_picture((20, 5))
        assert np.argwhere(full.mask).tolist() == [[4, 3]]

    def test_surest_first_and_unsure_left_out(self, table):
        people = [instance(score=score) for score in (0.4, 0.6, 0.9)]
        windows = instances_to_windows(people, table, 0.5)
        assert [window.score for window in windows] == [0.9, 0.6]

    def test_nobody_visible_is_left_out(self, table):
        empty = instance()
        empty.part[:] = 0
        assert instances_to_windows([empty], table) == []

    def test_needs_a_table_of_the_charts(self, table):
        for other in (None, UvTable(table.uv[:1], "hash", "toy")):
            with pytest.raises(ValueError, match=r"dimr iuv table.*register at.*UV_Processed"):
                instance_to_window(instance(), other)

    def test_labels_of_another_box_are_refused(self, table):
        with pytest.raises(ValueError, match="labels are 3 x 5 pixels in a box of 8 x 5"):
            instance_to_window(instance(box=(2.0, 3.0, 10.0, 8.0)), table)

    def test_impossible_parts_are_refused(self, table):
        part = np.array([[0, 25]])
        with pytest.raises(ValueError, match="parts reach from 0 to 25"):
            parts_to_iuv(part, np.zeros((1, 2, 2), np.float32), table)


class TestBoxes:
    @pytest.mark.parametrize(
        "box", [(0, 0, 23, 5), (-3, 0, 5, 5), (5, 5, 4, 6), (0, 0, np.nan, 5), (0, 0, 5, 13)]
    )
    def test_boxes_of_another_picture_are_refused(self, box):
        with pytest.raises(ValueError, match="is not in a picture of 20 x 10"):
            check_boxes(np.array([box], float), (20, 10))

    def test_boxes_up_to_the_edges_are_fine(self):
        check_boxes(np.array([[0, 0, 20, 10], [-1, -1, 21, 11]], float), (20, 10))
