import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.body.camera import NEAR_M
from dimr.surface.raster import MAX_PX, SUBPIXELS, RasterResult, ZBuffer, rasterize, z_draw

SIZE = (20, 24)


def rasterize_slowly(points_px, faces, size, perspective, cull, near):
    """The same picture, one face at a time over all pixels, without increments or boxes."""
    rows, cols = np.mgrid[: size[0], : size[1]]
    x, y = cols * SUBPIXELS, rows * SUBPIXELS
    result = RasterResult(
        np.full(size, -1, np.int32),
        np.zeros((*size, 3), np.float32),
        np.full(size, np.inf, np.float32),
    )
    for index, face in enumerate(faces):
        corners = points_px[face].astype(np.float64)
        if not np.isfinite(corners).all() or np.abs(corners[:, :2]).max() > MAX_PX:
            continue
        if perspective and corners[:, 2].min() <= near:
            continue
        grid = np.rint(corners[:, :2] * SUBPIXELS).astype(np.int64)
        (ax, ay), (bx, by) = grid[1] - grid[0], grid[2] - grid[0]
        area = ay * bx - ax * by
        if area == 0 or (cull and area < 0):
            continue
        inside = np.ones(size, bool)
        weights = []
        for start, end in ((1, 2), (2, 0), (0, 1)):
            along = (grid[end] - grid[start]) * np.sign(area)
            edge = along[1] * (x - grid[start, 0]) - along[0] * (y - grid[start, 1])
            is_left, is_top = along[1] > 0, along[1] == 0 and along[0] < 0
            inside &= (edge > 0) | ((edge == 0) & bool(is_left or is_top))
            weights.append(edge / abs(area))
        bary = np.stack(weights)
        if perspective:
            bary = bary / corners[:, 2, None, None]
            depth = 1 / np.where(inside, bary[0] + bary[1] + bary[2], 1)
            bary = bary * depth
        else:
            depth = bary[0] * corners[0, 2] + bary[1] * corners[1, 2] + bary[2] * corners[2, 2]
        nearer = inside & (depth.astype(np.float32) < result.depth)
        result.face[nearer] = index
        result.depth[nearer] = depth[nearer]
        result.bary[nearer] = bary[:, nearer].T
    return result


def random_mesh(seed):
    """Triangles of every unpleasant kind, about 20 x 24 pixels around the origin."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-8, -8, -0.3], [32, 28, 3], (30, 3))
    kind = rng.integers(4)
    if kind == 1:  # vertices and edges on pixel centres, many equal depths
        points = np.rint(points)
    if kind == 2:  # halves and thirds
        points[:, :2] = np.rint(points[:, :2] * 6) / 6
    if kind == 3:
        points[rng.integers(30, size=3), rng.integers(3, size=3)] = rng.choice(
            [np.nan, np.inf, -np.inf, 1e30, 3e5, -6e5], 3
        )
    return points.astype(np.float32), rng.integers(30, size=(25, 3)).astype(np.int32)


def square(x0, x1, y0, y1, depth):
    """Two triangles facing the viewer."""
    points = [[x0, y0, depth], [x1, y0, depth], [x1, y1, depth], [x0, y1, depth]]
    # Seen by the viewer (y down), top-left -> bottom-left -> bottom-right is counter-clockwise.
    return np.array(points, np.float32), np.array([[0, 3, 2], [0, 2, 1]], np.int32)


def sphere(depth_m=4.0):
    """A ball of radius 1 in front of the camera, and its projection with f = 40 px."""
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices = np.asarray(ball.vertices) + np.array([0, 0, depth_m])
    xy = vertices[:, :2] / vertices[:, 2:] * 40 + 15.5
    return vertices, np.column_stack([xy, vertices[:, 2]]).astype(np.float32), ball.faces


class TestRasterize:
    @settings(max_examples=150, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), perspective=st.booleans(), cull=st.booleans())
    def test_rasterize_equals_slow_twin(self, seed, perspective, cull):
        points, faces = random_mesh(seed)
        fast = rasterize(points, faces, SIZE, perspective=perspective, cull=cull)
        slow = rasterize_slowly(points, faces, SIZE, perspective, cull, NEAR_M)
        np.testing.assert_array_equal(fast.face, slow.face)
        np.testing.assert_array_equal(fast.depth, slow.depth)
        np.testing.assert_array_equal(fast.bary, slow.bary)

    def test_rasterize_hand_worked_triangle(self):
        points = np.array([[0, 0, 1], [0, 4, 5], [4, 0, 9]], np.float32)
        result = rasterize(points, np.array([[0, 1, 2]]), (6, 6))
        # Left and top edges count; the slanted one, x + y = 4, does not.
        expected = np.full((6, 6), -1)
        for row in range(4):
            expected[row, : 4 - row] = 0
        np.testing.assert_array_equal(result.face, expected)
        np.testing.assert_allclose(result.bary[1, 2], [0.25, 0.25, 0.5])
        assert result.depth[1, 2] == 0.25 * 1 + 0.25 * 5 + 0.5 * 9
        assert np.isinf(result.depth[3, 1])
        assert not result.bary[3, 1].any()

    def test_rasterize_perspective_is_linear_in_space(self):
        points = np.array([[0, 0, 1], [0, 4, 1], [4, 0, 3]], np.float32)
        result = rasterize(points, np.array([[0, 1, 2]]), (6, 6), perspective=True)
        # Halfway on the picture between depths 1 and 3: harmonic mean, not 2.
        assert result.depth[0, 2] == pytest.approx(1.5)
        np.testing.assert_allclose(result.bary[0, 2], [0.75, 0, 0.25], atol=1e-7)

    def test_rasterize_covers_shared_edges_once(self):
        rng = np.random.default_rng(0)
        y, x = np.mgrid[0:21:4, 0:25:4].astype(np.float32)
        inner = np.zeros(x.shape, bool)
        inner[1:-1, 1:-1] = True
        for step in (1, 0.5, 0.001):
            jitter = np.round(rng.uniform(-1.4, 1.4, (2, *x.shape)) / step) * step * inner
            points = np.stack([x + jitter[0], y + jitter[1], x * 0 + 1], -1).astype(np.float32)
            index = np.arange(x.size).reshape(x.shape)
            a, b, c, d = (
                index[:-1, :-1].ravel(),
                index[1:, :-1].ravel(),
                index[1:, 1:].ravel(),
                index[:-1, 1:].ravel(),
            )
            faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
            points = points.reshape(-1, 3)
            count = np.zeros((20, 24), int)
            for face in faces:
                count += rasterize(points, face[None], (20, 24), cull=False).face >= 0
            np.testing.assert_array_equal(count, 1)

    def test_rasterize_culls_the_inside_of_a_closed_mesh(self):
        _, points, faces = sphere()
        shown = rasterize(points, faces, (32, 32), perspective=True)
        both = rasterize(points, faces, (32, 32), perspective=True, cull=False)
        inside_out = rasterize(points, faces[:, ::-1], (32, 32), perspective=True)
        on_ball = shown.face >= 0
        assert on_ball.sum() > 250
        np.testing.assert_array_equal(shown.face, both.face)
        assert (shown.depth[on_ball] < 4).all()
        assert (inside_out.depth[inside_out.face >= 0] > 3.7).all()
        assert shown.depth[15, 15] == pytest.approx(3, abs=0.01)
        assert inside_out.depth[15, 15] == pytest.approx(5, abs=0.01)

    def test_rasterize_perspective_recovers_the_surface_point(self):
        vertices, points, faces = sphere()
        result = rasterize(points, faces, (32, 32), perspective=True)
        rows, cols = np.nonzero(result.face >= 0)
        corners = vertices[faces[result.face[rows, cols]]]
        surface = (corners * result.bary[rows, cols][:, :, None]).sum(1)
        np.testing.assert_allclose(surface[:, 2], result.depth[rows, cols], rtol=1e-5)
        seen_at = surface[:, :2] / surface[:, 2:] * 40 + 15.5
        # Vertices move by up to half a grid step each way.
        np.testing.assert_allclose(seen_at, np.stack([cols, rows], 1), atol=1 / SUBPIXELS)

    def test_rasterize_tie_goes_to_the_smaller_face(self):
        points, faces = square(1, 5, 1, 5, 2.0)
        result = rasterize(points, np.concatenate([faces, faces]), (8, 8))
        assert set(np.unique(result.face)) == {-1, 0, 1}

    def test_rasterize_drops_faces_at_the_near_plane(self):
        for depth_m, drawn in ((1.001 * NEAR_M, True), (0.999 * NEAR_M, False)):
            points, faces = square(1, 5, 1, 5, depth_m)
            assert (rasterize(points, faces, (8, 8), perspective=True).face >= 0).any() == drawn
            assert (rasterize(points, faces, (8, 8)).face >= 0).any()

    @pytest.mark.parametrize(
        ("perspective", "near", "drawn"),
        [(True, 0.4, True), (True, 0.5, False), (False, 0.5, True)],
    )
    def test_z_draw_drops_what_is_exactly_at_the_near_plane(self, perspective, near, drawn):
        points, faces = square(1, 5, 1, 5, 0.5)
        seen = ZBuffer.empty((8, 8))
        buffers = (seen.depth, seen.face, seen.bary, seen.person)
        z_draw(points, faces, *buffers, 0, perspective, True, near)
        assert (seen.face >= 0).any() == drawn

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_rasterize_skips_faces_that_are_not_finite(self, value, axis):
        points, faces = square(1, 5, 1, 5, 2.0)
        points[3, axis] = value
        result = rasterize(points, faces, (8, 8))
        assert set(np.unique(result.face)) == {-1, 1}

    def test_rasterize_clips_a_face_larger_than_the_picture(self):
        points, faces = square(-3e5, 3e5, -3e5, 3e5, 2.0)
        assert (rasterize(points, faces, (8, 8)).face >= 0).all()

    def test_rasterize_nothing(self):
        no_faces = np.zeros((0, 3), np.int32)
        result = rasterize(np.zeros((0, 3), np.float32), no_faces, (3, 2))
        assert result.face.shape == (3, 2)
        assert (result.face == -1).all()
        on_a_line = np.array([[0, 0, 1], [2, 2, 1], [4, 4, 1]], np.float32)
        assert (rasterize(on_a_line, np.array([[0, 1, 2]]), (8, 8), cull=False).face == -1).all()

    @pytest.mark.parametrize("index", [-1, 4])
    def test_rasterize_refuses_a_vertex_that_is_not_there(self, index):
        points, faces = square(1, 5, 1, 5, 2.0)
        faces[1, 1] = index
        with pytest.raises(ValueError, match=r"faces: got vertex indices .* points, 4"):
            rasterize(points, faces, (8, 8))

    def test_rasterize_refuses_an_empty_picture(self):
        points, faces = square(1, 5, 1, 5, 2.0)
        with pytest.raises(ValueError, match="size"):
            rasterize(points, faces, (0, 8))


class TestZBuffer:
    def test_draw_nearer_person_wins_in_any_order(self):
        near_points, faces = square(0, 5, 0, 8, 1.0)
        far_points, _ = square(3, 8, 0, 8, 2.0)
        for order in ((0, 1), (1, 0)):
            buffer = ZBuffer.empty((8, 10))
            for person in order:
                points = (near_points, far_points)[person]
                buffer.draw(points, faces, person, perspective=True)
            np.testing.assert_array_equal(buffer.person[0], [0] * 5 + [1] * 3 + [-1] * 2)

    def test_draw_tie_goes_to_the_earlier_draw(self):
        points, faces = square(0, 5, 0, 5, 1.0)
        buffer = ZBuffer.empty((5, 5))
        buffer.draw(points, faces, 7, perspective=True)
        buffer.draw(points, faces, 3, perspective=True)
        assert (buffer.person == 7).all()

    def test_of_person_splits_the_picture(self):
        near_points, faces = square(0, 5, 0, 8, 1.0)
        far_points, _ = square(3, 8, 0, 8, 2.0)
        buffer = ZBuffer.empty((8, 10))
        buffer.draw(near_points, faces, 0, perspective=True)
        buffer.draw(far_points, faces, 1, perspective=True)
        alone = rasterize(far_points, faces, (8, 10), perspective=True)
        hidden = buffer.of_person(1)
        visible = buffer.person == 1
        assert visible.sum() == 8 * 3
        for kept, full, empty in zip(hidden, alone, (-1, 0, np.inf), strict=True):
            np.testing.assert_array_equal(kept[visible], full[visible])
            assert (kept[~visible] == empty).all()
        assert (buffer.of_person(5).face == -1).all()

    def test_clear_equals_new(self):
        points, faces = square(0, 5, 0, 5, 1.0)
        buffer, new = ZBuffer.empty((6, 7)), ZBuffer.empty((6, 7))
        buffer.draw(points, faces, 1, perspective=False)
        assert (buffer.person == 1).any()
        buffer.clear()
        for name in ("depth", "face", "bary", "person"):
            np.testing.assert_array_equal(getattr(buffer, name), getattr(new, name))

    def test_draw_refuses_the_number_of_nobody(self):
        points, faces = square(0, 5, 0, 5, 1.0)
        with pytest.raises(ValueError, match="person_id: got -1"):
            ZBuffer.empty((5, 5)).draw(points, faces, -1, perspective=False)
