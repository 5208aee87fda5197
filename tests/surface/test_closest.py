import numpy as np
import pytest

from dimr.surface.closest import closest_on_mesh

SQUARE = np.float64([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])
SQUARE_FACES = np.int64([(0, 1, 2), (0, 2, 3)])
UP, DOWN = np.float64([[0, 0, 1]]), np.float64([[0, 0, -1]])


def where(point, normal=UP, vertices=SQUARE, faces=SQUARE_FACES):
    face, bary, gap = closest_on_mesh(np.float64([point]), normal, vertices, faces)
    return (vertices[faces[face[0]]] * bary[0][:, None]).sum(0), gap[0]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((0.7, 0.2, 0.5), (0.7, 0.2, 0)),  # above a face
        ((0.5, -1, 0), (0.5, 0, 0)),  # beside an edge
        ((2, 0.25, 1), (1, 0.25, 0)),
        ((0.25, 2, 0), (0.25, 1, 0)),
        ((-1, 0.5, 0), (0, 0.5, 0)),
        ((2, 2, 2), (1, 1, 0)),  # beyond a corner
        ((-1, -1, 0), (0, 0, 0)),
        ((0.4, 0.4, -3), (0.4, 0.4, 0)),  # on the diagonal
    ],
)
def test_exact(point, expected):
    found, gap = where(point)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert gap == pytest.approx(np.linalg.norm(np.subtract(point, expected)))


def test_against_dense_samples(monkeypatch):
    """No point of the surface is closer than the one found."""
    monkeypatch.setattr("dimr.surface.closest.NEIGHBOURS", 12)
    draw = np.random.default_rng(0)
    vertices = draw.normal(size=(12, 3))
    faces = np.array([(a, (a + 1) % 12, (a + 5) % 12) for a in range(12)])
    points = draw.normal(size=(50, 3))
    weights = draw.dirichlet(np.ones(3), (12, 4000))
    samples = np.einsum("fsk,fkx->fsx", weights, vertices[faces]).reshape(-1, 3)
    first, second, third = vertices[faces].transpose(1, 0, 2)
    normals = np.cross(second - first, third - first)
    for point in points:
        for way in (1.0, -1.0):
            face, _, gap = closest_on_mesh(point[None], np.float64([[way, 0, 0]]), vertices, faces)
            alike = np.repeat(way * normals[:, 0] > 0, 4000)
            best = np.linalg.norm(samples[alike] - point, axis=1).min()
            if way * normals[face[0], 0] > 0:
                assert best - 0.1 < gap[0] <= best + 1e-9


def test_skin_that_faces_away_is_passed_over():
    """Two sheets back to back, as thighs are: the nearer one faces the other way."""
    under = SQUARE - [0, 0, 0.1]
    vertices = np.concatenate([SQUARE, under])
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES[:, ::-1] + 4])
    found, _ = where((0.5, 0.3, 0.0), DOWN, vertices, faces)
    np.testing.assert_allclose(found, (0.5, 0.3, -0.1), atol=1e-6)
    found, _ = where((0.5, 0.3, -0.1), UP, vertices, faces)
    np.testing.assert_allclose(found, (0.5, 0.3, 0), atol=1e-6)


def test_only_skin_that_faces_away_is_better_than_none():
    found, _ = where((0.5, 0.3, 0.0), DOWN)
    np.testing.assert_allclose(found, (0.5, 0.3, 0), atol=1e-6)


def test_face_without_area():
    found, gap = where((5, 0, 0), UP, SQUARE[[0, 0, 1]], np.int64([(0, 1, 2)]))
    np.testing.assert_allclose(found, (1, 0, 0), atol=1e-6)
    assert gap == pytest.approx(4)
