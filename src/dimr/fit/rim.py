"""The rim of a body, which should lie on the rim of what is seen of somebody.

Labels and landmarks say which point of the body is where, and slide along limbs; an outline says
only where a body ends, but it is what stage 1 knows best. Each rim is compared with the other, as
in iterative closest points: whatever pair is near and faces the same way pulls, across the rim
alone. Something that hides the body ends the mask, too, which is why rims are for people of whom
nearly all is seen, far pairs count for nothing, and those where the body reaches beyond the mask
for less; so do clothes, which is why a body is not laid on a true IUV's rim.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.spatial import KDTree

from dimr.body.camera import Lens
from dimr.body.model import BodyModel
from dimr.fit.geometry import as_tensor, vertex_points
from dimr.fit.surface import draw_body
from dimr.fit.terms import Term, evenly
from dimr.image.crop import crop_to_norm
from dimr.surface.atlas import Atlas
from dimr.types import Regression

RIM_NOISE = 0.03
"""Standard deviation of a rim, crop-normalised."""
RIM_SHARE = 0.2
"""Pixels of a rim err together: five count as one."""
REACH = 0.07
"""Between pairs at most, crop-normalised; normals that are 60 degrees apart count as much."""
FEWEST, MOST = 10, 200
"""Pairs that say something; so many are used, the others' weight on them."""
BEYOND = 0.3
"""What a pair counts where the body reaches beyond the mask."""
MARGIN_PX = 1
"""So near to the edge of the crop or of the picture nobody's rim is known."""
BLUR_PX = 1.5
"""Over which a rim's normals are read."""


class Rim(NamedTuple):
    """Pixels of a mask that have something else beside them."""

    pixels: tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]
    """Rows and columns."""
    places_norm: Float[np.ndarray, "N 2"]
    normals: Float[np.ndarray, "N 2"]
    """Outwards."""


def rim_term(
    regression: Regression,
    wanted: Rim,
    size: tuple[int, int],
    body: BodyModel,
    atlas: Atlas,
    lens: Lens,
    seen: Float32[np.ndarray, "24"],
) -> Term | None:
    """What lies on the body's rim, and where on the rim of the mask it should be.

    Args:
        regression: of one crop (B = 1), as the body stands now; its points have its correctives.
        wanted: rim of the mask.
        size: of the mask, (height, width).
        body: whose parameters these are.
        atlas: the map of that body.
        lens: of the crop.
        seen: how well each part is.

    Returns:
        None where the rims have little in common, as those of a body that is not in the crop.
    """
    drawn = draw_body(regression, body, atlas, lens, size)
    own = rim_of(drawn.mask, lens)
    face, bary = atlas.uv_to_surface(drawn.uv[own.pixels])
    shown = np.minimum(seen[atlas.part_of_face[face]], 1)
    to_wanted, to_own = pairs(own, wanted), pairs(wanted, own)
    mine = np.concatenate([to_wanted[0], to_own[1]])
    theirs = np.concatenate([to_wanted[1], to_own[0]])
    gap = own.places_norm[mine] - wanted.places_norm[theirs]
    beyond = (gap * wanted.normals[theirs]).sum(1) > 0
    trust = shown[mine] * np.where(beyond, BEYOND, 1)
    if len(mine) < FEWEST:
        return None
    if len(mine) > MOST:
        chosen = evenly(len(mine), MOST)
        trust = trust[chosen] * (len(mine) / MOST)
        mine, theirs = mine[chosen], theirs[chosen]
    return Term(
        vertex_points(regression, body, atlas.faces[face[mine]], bary[mine]),
        as_tensor(wanted.places_norm[theirs]),
        as_tensor(RIM_SHARE * trust),
        RIM_NOISE,
        "landmark",
        normals=as_tensor(wanted.normals[theirs]),
    )


def rim_of(mask: Bool[np.ndarray, "h h"], lens: Lens) -> Rim:
    """Of a mask in a crop, but for what is cut off by the edge of the crop or of the picture."""
    size = len(mask)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rows, cols = np.nonzero(mask & ~inner)
    places = crop_to_norm(np.stack([cols, rows], axis=1).astype(np.float64), size)
    middle, half = np.array(lens.middle_norm), np.array(lens.half_norm)
    margin = 2 * MARGIN_PX / size
    inside = (np.abs(places) < 1 - margin) & (np.abs(places - middle) < half - margin)
    rows, cols, places = (each[inside.all(1)] for each in (rows, cols, places))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), BLUR_PX)
    slopes = [-cv2.Sobel(soft, cv2.CV_32F, *axis)[rows, cols] for axis in ((1, 0), (0, 1))]
    normals = np.stack(slopes, axis=1).astype(np.float64)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    return Rim((rows, cols), places, normals)


def pairs(rim: Rim, other: Rim) -> tuple[Int[np.ndarray, "P"], Int[np.ndarray, "P"]]:
    """Who of a rim has somebody on another one who is near and faces the same way; and whom."""
    nothing = np.zeros(0, np.int64)
    if not (len(rim.normals) and len(other.normals)):
        return nothing, nothing
    of_rim, of_other = (
        np.concatenate([each.places_norm, REACH * each.normals], axis=1) for each in (rim, other)
    )
    found = KDTree(of_other).query(of_rim)
    gap, nearest = np.asarray(found[0]), np.asarray(found[1], np.int64)
    near = gap <= REACH
    return np.flatnonzero(near), nearest[near]
