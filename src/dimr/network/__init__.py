"""Stage 2, crop + IUV -> body parameters, in the paper's order.

Start with `dimr.py`; then `encode.py` (F_img), `wrap.py` (Eq. 1), `complete.py` (Eq. 2),
`regress.py`, and `variants.py` for the ablations and baselines.
"""

from dimr.network.dimr import Dimr, HeadSize
from dimr.network.variants import VARIANTS, build_stage2

__all__ = ["VARIANTS", "Dimr", "HeadSize", "build_stage2"]
