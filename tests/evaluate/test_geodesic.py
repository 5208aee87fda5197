import numpy as np
import pytest

from dimr.body.model import BodyModel
from dimr.evaluate.geodesic import GPS_KAPPA_M, Geodesics, geodesic_point_similarity


def sheet(count: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """A flat square grid of triangles."""
    rows, cols = np.mgrid[:count, :count]
    vertices = np.stack([cols * step, rows * step, 0 * cols], axis=-1).reshape(-1, 3)
    a = (rows[:-1, :-1] * count + cols[:-1, :-1]).ravel()
    first = np.stack([a, a + 1, a + count], axis=1)
    second = np.stack([a + 1, a + count + 1, a + count], axis=1)
    return vertices.astype(np.float64), np.concatenate([first, second])


class TestFlatSheet:
    geodesics = Geodesics(*sheet(21, 0.01))

    def test_nearby_points_are_as_far_as_they_look(self):
        rng = np.random.default_rng(0)
        points = np.column_stack([rng.uniform(0.05, 0.15, (200, 2)), np.zeros(200)])
        others = points + np.column_stack([rng.uniform(-0.04, 0.04, (200, 2)), np.zeros(200)])
        straight = np.linalg.norm(points - others, axis=1)
        found = self.geodesics.distance_m(points, others)
        assert (found >= straight - 1e-12).all()
        np.testing.assert_allclose(found, straight, atol=0.006)

    def test_a_point_has_no_distance_from_itself(self):
        point = np.array([[0.033, 0.071, 0.0]])
        assert self.geodesics.distance_m(point, point)[0] == pytest.approx(0)

    def test_far_points(self):
        found = self.geodesics.distance_m(np.zeros((1, 3)), np.array([[0.2, 0.2, 0.0]]))
        assert found[0] == pytest.approx(0.2 * 2**0.5, rel=0.1)


class TestBody:
    body = BodyModel.load()
    geodesics = Geodesics(body.v_template.numpy(), body.faces.numpy())

    def test_left_and_right_inner_thigh_are_close_in_space_but_not_along_the_skin(self):
        vertices = self.geodesics.vertices_m
        knee, hip = vertices[vertices[:, 1] < -0.2], 0.0
        height = (vertices[:, 1].min() + hip) / 2
        band = vertices[np.abs(vertices[:, 1] - height) < 0.02]
        left, right = band[band[:, 0] > 0], band[band[:, 0] < 0]
        a, b = left[left[:, 0].argmin()], right[right[:, 0].argmax()]
        assert len(knee) and np.linalg.norm(a - b) < 0.2
        assert self.geodesics.distance_m(a[None], b[None])[0] > 0.5

    def test_is_symmetric_and_at_least_straight(self):
        rng = np.random.default_rng(0)
        i, j = rng.integers(0, len(self.geodesics.vertices_m), (2, 300))
        a, b = self.geodesics.vertices_m[i], self.geodesics.vertices_m[j]
        there, back = self.geodesics.distance_m(a, b), self.geodesics.distance_m(b, a)
        np.testing.assert_allclose(there, back, atol=1e-4)
        assert (there >= np.linalg.norm(a - b, axis=1) - 1e-9).all()


def test_similarity_of_right_and_wrong_points():
    found = geodesic_point_similarity(np.array([0.0, GPS_KAPPA_M, np.inf]))
    np.testing.assert_allclose(found, [1, np.exp(-0.5), 0])
