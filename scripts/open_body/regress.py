"""Linear regressors from a few vertices to a point that moves with the body."""

import numpy as np
from scipy.optimize import nnls

SUM_WEIGHT_M = 10.0
"""Weight of 'rows sum to 1' beside residuals in metres; what is left is normalised away."""


def fit_signed(samples: np.ndarray, targets: np.ndarray, ridge_m2: float) -> np.ndarray:
    """Weights (C,) of either sign that sum to 1, near to equal ones.

    Args:
        samples: (N, C, 3) candidate vertices.
        targets: (N, 3) the point.
        ridge_m2: price of the squared weights beside the mean squared distance.
    """
    count = samples.shape[1]
    gram, right = _normal_equations(samples, targets)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = gram + ridge_m2 * np.eye(count)
    system[count, count] = 0
    # the price of the difference to equal weights is a constant on the right hand side
    return np.linalg.solve(system, np.append(right + ridge_m2 / count, 1.0))[:count]


def fit_positive(samples: np.ndarray, targets: np.ndarray, ridge_m2: float) -> np.ndarray:
    """As `fit_signed`, with weights >= 0, which stay sound on any pose."""
    gram, right = _normal_equations(samples, targets)
    count = len(gram)
    gram = gram + SUM_WEIGHT_M**2 + ridge_m2 * np.eye(count)
    right = right + SUM_WEIGHT_M**2
    # a Cholesky factor keeps the problem as small as the number of candidates
    root = np.linalg.cholesky(gram)
    found, _ = nnls(root.T, np.linalg.solve(root, right))
    return found / found.sum()


def _normal_equations(samples: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.moveaxis(samples, 1, 2).reshape(-1, samples.shape[1])
    return rows.T @ rows / len(samples), rows.T @ targets.reshape(-1) / len(samples)
