"""A body that was laid on what is seen -> which surface each pixel shows.

Stage 1 decides for each pixel by itself; a body is one piece, with two sides and bones. Where both
mean the same place, give or take some centimetres, the mean of the two is better than either;
where they do not, the body is right more often (docs/stage1_choices.md).
"""

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from dimr.body.camera import WEAK, Lens, project_lens
from dimr.body.model import BodyModel
from dimr.surface.atlas import Atlas
from dimr.surface.closest import closest_on_mesh
from dimr.surface.render import render_iuv
from dimr.types import Iuv, Regression

SAME_PLACE_M = 0.15
"""So far apart, in the rest pose, the body and stage 1 still mean the same place."""
BODY_SHARE = 0.7
"""Of the body in their mean."""


def lay_surface(
    regression: Regression, iuv: Iuv, body: BodyModel, atlas: Atlas, lens: Lens = WEAK
) -> Iuv:
    """The surface of a body under the pixels of an IUV; mask and confidence stay.

    Pixels beside the body show what its nearest pixel shows. A body that is not in the crop
    changes nothing.

    Args:
        regression: of one crop (B = 1), best after `fit_to_iuv`.
        iuv: of the same crop, square, at any resolution.
        body: whose parameters these are.
        atlas: the map of that body.
        lens: of the crop, if the regression's camera is through one.
    """
    drawn = draw_body(regression, body, atlas, lens, iuv.mask.shape)
    if not (drawn.mask.any() and iuv.mask.any()):
        return iuv
    uv = iuv.uv[iuv.mask].copy()
    body_face, body_bary = atlas.uv_to_surface(_nearest(drawn)[iuv.mask])
    rest_m = body.v_template.cpu().numpy()
    own_m = _places(*atlas.uv_to_surface(uv), rest_m, atlas)
    body_m = _places(body_face, body_bary, rest_m, atlas)
    same = np.linalg.norm(own_m - body_m, axis=1) < SAME_PLACE_M
    uv[~same] = atlas.surface_to_uv(body_face[~same], body_bary[~same])
    if same.any():
        mean_m = BODY_SHARE * body_m[same] + (1 - BODY_SHARE) * own_m[same]
        corners = rest_m[atlas.faces[body_face[same]]]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        face, bary, _ = closest_on_mesh(mean_m, normals, rest_m, atlas.faces)
        uv[same] = atlas.surface_to_uv(face, bary)
    laid = np.zeros_like(iuv.uv)
    laid[iuv.mask] = np.clip(uv, 0, 1)
    return Iuv(iuv.mask, laid, iuv.confidence)


def draw_body(
    regression: Regression, body: BodyModel, atlas: Atlas, lens: Lens, size: tuple[int, int]
) -> Iuv:
    """What a crop of this size shows of a body that nothing hides; nothing of broken numbers."""
    vertices_m = body(regression.rotmats, regression.betas).vertices_m[0].cpu()
    seen = project_lens(vertices_m, regression.camera[0].cpu(), lens)
    in_crop = torch.cat([seen, vertices_m[:, 2:]], dim=1).numpy()
    return render_iuv(in_crop, atlas, np.array([1, 0, 0], np.float32), size)[0]


def _nearest(drawn: Iuv) -> Float32[np.ndarray, "h w 2"]:
    """Of each pixel the uv of the nearest one that shows the body."""
    empty = (~drawn.mask).astype(np.uint8)
    found = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    label = np.asarray(found[1], np.int64)
    uv = np.zeros((int(label.max()) + 1, 2), np.float32)
    uv[label[drawn.mask]] = drawn.uv[drawn.mask]
    return uv[label]


def _places(
    face: Int[np.ndarray, "N"],
    bary: Float[np.ndarray, "N 3"],
    vertices_m: Float[np.ndarray, "V 3"],
    atlas: Atlas,
) -> Float[np.ndarray, "N 3"]:
    """Surface points on a mesh."""
    return np.einsum("nk,nkx->nx", bary, vertices_m[atlas.faces[face]])
