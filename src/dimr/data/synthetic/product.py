"""Matrix products that round alike on all processors.

BLAS chooses its kernels by the processor (and by environment variables), and each rounds in its
own way; a sample must not depend on that. The matrices here are small.
"""

import numpy as np
from jaxtyping import Float


def product(
    a: Float[np.ndarray, "*n m"], b: Float[np.ndarray, "m *k"]
) -> Float[np.ndarray, "..."]:
    """`a @ b` for a vector or a matrix `b`, without BLAS."""
    return np.einsum("...m,m->..." if b.ndim == 1 else "...m,mk->...k", a, b)
