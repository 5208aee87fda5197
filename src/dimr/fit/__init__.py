"""Refinement at test time: stage 2's body laid on what was seen (docs/refine.md).

`geometry` has points that follow the bones, and their derivatives; `terms` what they should lie
on: pixels of an IUV, keypoints; `landmarks` what the landmark network says, as further terms;
`rim` where the body's outline should be; `prior` how stage 2's answers err; `solve` the few
Gauss-Newton steps; `surface` which surface of the laid body each pixel shows.
"""

from dimr.fit.solve import fit_to_iuv
from dimr.fit.surface import lay_surface
from dimr.fit.terms import Keypoints

__all__ = ["Keypoints", "fit_to_iuv", "lay_surface"]
