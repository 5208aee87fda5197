"""Shape space, fitted to a low-discrepancy sample of adults."""

import numpy as np
from scipy.stats import norm, qmc

NUM_PEOPLE = 1024
NUM_SHAPES = 10
_NORMAL = {
    "muscle": (0.5, 0.25, 0.0, 1.0),
    "weight": (0.5, 0.3, 0.0, 1.0),
    "proportions": (0.5, 0.25, 0.0, 1.0),
    "cupsize": (0.5, 0.2, 0.0, 1.0),
    "firmness": (0.5, 0.2, 0.0, 1.0),
    "height": (0.39, 0.08, 0.2, 0.66),
}
"""Mean, deviation, least, greatest. Height in anny's unit of 1.09 m: 1.65 m for women, 1.78 m
for men, deviation 9 cm."""
_UNIFORM = {
    "gender": (0.0, 1.0),
    "age": (2 / 3, 1.0),  # anny's young adult to old
    "african": (0.0, 1.0),
    "asian": (0.0, 1.0),
    "caucasian": (0.0, 1.0),
}


def sample_adults(count: int = NUM_PEOPLE) -> dict[str, np.ndarray]:
    """Phenotypes of `count` adults (a power of two), the same at every call."""
    names = [*_NORMAL, *_UNIFORM]
    sobol = qmc.Sobol(len(names), scramble=False).random(count) + 0.5 / count
    people = {}
    for column, name in enumerate(names):
        if name in _NORMAL:
            mean, deviation, low, high = _NORMAL[name]
            people[name] = np.clip(norm.ppf(sobol[:, column]) * deviation + mean, low, high)
        else:
            low, high = _UNIFORM[name]
            people[name] = low + (high - low) * sobol[:, column]
    return people


def symmetrise(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Mean of points (..., V, 3) and their mirror image."""
    return (points + points[..., mirror, :] * np.array([-1.0, 1.0, 1.0])) / 2


def principal_shapes(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PCA of bodies (N, V, 3).

    Returns:
        Mean (V, 3); components (V, 3, 10), metres for one standard deviation, sorted by variance,
        signed so that the first person-sized change (height) grows with beta; deviations (10,)
        as root mean square over vertices, metres.
    """
    count, vertices = samples.shape[:2]
    mean = samples.mean(0)
    centred = (samples - mean).reshape(count, -1)
    variance, scores = np.linalg.eigh(centred @ centred.T / count)
    order = np.argsort(variance)[::-1][:NUM_SHAPES]
    components = (scores[:, order].T @ centred) / np.sqrt(count)
    taller = np.ptp(mean[:, 1]) < np.array([np.ptp((mean + c)[:, 1]) for c in _split(components)])
    components *= np.where(taller, 1.0, -1.0)[:, None]
    shapes = components.reshape(NUM_SHAPES, vertices, 3)
    return mean, np.moveaxis(shapes, 0, -1), np.sqrt(variance[order] / vertices)


def _split(components: np.ndarray) -> np.ndarray:
    return components.reshape(len(components), -1, 3)
