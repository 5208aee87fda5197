import numpy as np
import pytest
import trimesh

from dimr.body.camera import PerspectiveCamera
from dimr.surface.atlas import Atlas
from dimr.surface.render import (
    DIFFUSE,
    HEMISPHERE,
    LIGHT_CAM,
    project_to_pixels,
    rasterize_mesh,
    render_iuv,
    shade,
    vertex_normals,
)


def tilted_square():
    """A square of side 2 m around (0, 0, 4) whose right side is 1 m farther than its left."""
    vertices = np.array([[-1, -1, 3.5], [-1, 1, 3.5], [1, 1, 4.5], [1, -1, 4.5]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    atlas = Atlas(
        faces=faces,
        uv_vertices=np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32),
        uv_faces=faces,
        part_of_face=np.zeros(2, np.int8),
        densepose_of_face=np.ones(2, np.int8),
        name="square",
    )
    return vertices, atlas


def ball():
    mesh = trimesh.creation.icosphere(subdivisions=4)
    vertices = np.asarray(mesh.vertices, np.float32) + np.float32([0, 0, 5])
    return vertices, np.asarray(mesh.faces, np.int32)


WEAK = np.array([0.8, 0.0, 0.0], np.float32)


class TestProjectToPixels:
    def test_project_weak_hand_worked(self):
        points = np.array([[0, 0, 2], [1, -1, 3]], np.float32)
        camera = np.array([0.5, 0.25, 0], np.float32)
        # x_norm = 0.25 and 0.75; on 8 pixels (x_norm + 1) * 4 - 0.5.
        expected = [[4.5, 3.5, 2], [6.5, 1.5, 3]]
        np.testing.assert_allclose(project_to_pixels(points, camera, (8, 8)), expected)

    def test_project_perspective_hand_worked(self):
        points = np.array([[1, -0.5, 2]], np.float32)
        camera = PerspectiveCamera(100.0, (10.0, 20.0))
        np.testing.assert_allclose(project_to_pixels(points, camera, (30, 40)), [[60, -5, 2]])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_project_perspective_point_in_the_lens_is_not_drawn(self, dtype):
        vertices, atlas = tilted_square()
        vertices = vertices.astype(dtype)
        vertices[0] = 0
        vertices[3] = [1e30, 1, 1e-30]
        raster = rasterize_mesh(
            vertices, atlas.faces, PerspectiveCamera(20.0, (7.5, 7.5)), (16, 16)
        )
        assert (raster.face == -1).all()

    def test_project_weak_refuses_a_crop_that_is_not_square(self):
        with pytest.raises(ValueError, match="square"):
            project_to_pixels(np.zeros((1, 3), np.float32), WEAK, (8, 9))


class TestRenderIuv:
    def test_render_iuv_perspective_is_linear_in_space(self):
        vertices, atlas = tilted_square()
        camera = PerspectiveCamera(40.0, (15.5, 15.5))
        iuv, depth = render_iuv(vertices, atlas, camera, (32, 32))
        rows, cols = np.nonzero(iuv.mask)
        # Ray (a, b, 1) meets z = 4 + x / 2 at z = 4 / (1 - a / 2).
        ray = (np.stack([cols, rows], 1) - 15.5) / 40
        expected_depth = 4 / (1 - ray[:, 0] / 2)
        np.testing.assert_allclose(depth[rows, cols], expected_depth, rtol=2e-4)
        expected_uv = (ray * expected_depth[:, None] + 1) / 2
        np.testing.assert_allclose(iuv.uv[rows, cols], expected_uv, atol=1e-4)
        assert np.isinf(depth[~iuv.mask]).all()

    def test_render_iuv_weak_ignores_depth(self):
        vertices, atlas = tilted_square()
        iuv, _ = render_iuv(vertices, atlas, WEAK, (40, 40))
        rows, cols = np.nonzero(iuv.mask)
        assert (cols.min(), cols.max(), rows.min(), rows.max()) == (4, 35, 4, 35)
        expected = (np.stack([cols, rows], 1) + 0.5 - 4) / 32
        np.testing.assert_allclose(iuv.uv[rows, cols], expected, atol=1e-6)

    def test_render_iuv_weak_needs_no_positive_depth(self):
        vertices, atlas = tilted_square()
        moved, _ = render_iuv(vertices - np.float32([0, 0, 9]), atlas, WEAK, (40, 40))
        iuv, _ = render_iuv(vertices, atlas, WEAK, (40, 40))
        np.testing.assert_array_equal(moved.uv, iuv.uv)

    def test_render_iuv_from_behind_is_empty(self):
        vertices, atlas = tilted_square()
        turned = vertices * np.float32([-1, 1, -1])
        assert not render_iuv(turned, atlas, WEAK, (16, 16))[0].mask.any()


class TestVertexNormals:
    def test_vertex_normals_of_a_ball_point_outwards(self):
        vertices, faces = ball()
        np.testing.assert_allclose(
            vertex_normals(vertices, faces), vertices - [0, 0, 5], atol=1e-2
        )

    def test_vertex_normals_lone_vertex_is_zero(self):
        vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float32)
        normals = vertex_normals(vertices, np.array([[0, 1, 2]]))
        np.testing.assert_allclose(normals, [[0, 0, 1]] * 3 + [[0, 0, 0]])


class TestShade:
    def test_shade_is_brightest_towards_the_light(self):
        vertices, faces = ball()
        raster = rasterize_mesh(vertices, faces, WEAK, (64, 64))
        # Not quite full, so that nothing saturates.
        picture, mask = shade(vertices, faces, raster, albedo=(0.8, 0.8, 0.8))
        np.testing.assert_array_equal(mask, raster.face >= 0)
        assert not picture[~mask].any()
        bright = np.unravel_index(picture[..., 0].argmax(), mask.shape)
        dark = np.unravel_index(np.where(mask, picture[..., 0], 255).argmin(), mask.shape)
        # Radius 25.6 px around 31.5; the sky draws the brightest point up a little.
        towards = DIFFUSE * np.array(LIGHT_CAM) / np.linalg.norm(LIGHT_CAM)
        towards[1] -= HEMISPHERE / 2
        foot = towards[[1, 0]] / np.linalg.norm(towards)
        np.testing.assert_allclose(bright, 31.5 + 25.6 * foot, atol=2)
        # Away from the light only the sky differs, which is below.
        assert dark[0] > 50

    def test_shade_is_smooth_across_faces(self):
        vertices, faces = ball()
        raster = rasterize_mesh(vertices, faces, WEAK, (64, 64))
        picture, _ = shade(vertices, faces, raster)
        across = picture[31, 20:44].astype(int)
        assert np.abs(np.diff(across, axis=0)).max() <= 6

    def test_shade_albedo_per_vertex(self):
        vertices, faces = ball()
        raster = rasterize_mesh(vertices, faces, WEAK, (64, 64))
        red_left = np.where(vertices[:, :1] < 0, [[1.0, 0, 0]], [[0, 0, 1.0]])
        picture, _ = shade(vertices, faces, raster, albedo=red_left)
        assert picture[32, 15, 0] > 50 > picture[32, 15, 2]
        assert picture[32, 48, 2] > 50 > picture[32, 48, 0]
        grey = np.full_like(vertices, 0.5)
        per_vertex, _ = shade(vertices, faces, raster, albedo=grey)
        for_all, _ = shade(vertices, faces, raster, albedo=(0.5, 0.5, 0.5))
        assert np.abs(per_vertex.astype(int) - for_all).max() <= 1

    def test_shade_nothing(self):
        vertices, faces = ball()
        away = rasterize_mesh(vertices + np.float32([99, 0, 0]), faces, WEAK, (8, 8))
        picture, mask = shade(vertices, faces, away)
        assert not picture.any() and not mask.any()
