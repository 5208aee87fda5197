"""Horizontal flip of a batch of crops with all that belongs to it.

A person and its mirror image: the picture and its IUV are turned over, joints change sides, and
the body's left-right symmetry makes the mirrored person a body of the same model again.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def flip_image(image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """Left <-> right."""
    return image.flip(-1)


def flip_iuv(
    mask: Bool[Tensor, "B H W"], uv: Float[Tensor, "B H W 2"]
) -> tuple[Bool[Tensor, "B H W"], Float[Tensor, "B H W 2"]]:
    """Left <-> right on a symmetric atlas: u -> 1 - u where the person is visible."""
    mask, uv = mask.flip(-1), uv.flip(-2)
    u, v = uv.unbind(-1)
    return mask, torch.stack([torch.where(mask, 1 - u, u), v], dim=-1)


def flip_parameters(
    rotmats: Float[Tensor, "B 24 3 3"],
    camera: Float[Tensor, "B 3"],
    mirror_joints: Int[Tensor, "24"],
) -> tuple[Float[Tensor, "B 24 3 3"], Float[Tensor, "B 3"]]:
    """Pose and weak-perspective camera of the mirror image; the shape stays.

    With M = diag(-1, 1, 1), the rotation of a joint becomes M R M of its mirror joint. This holds
    for the root, too, because M mirrors the camera's x axis as it does the body's.
    """
    mirror = rotmats.new_tensor([-1.0, 1.0, 1.0])
    flipped = rotmats[:, mirror_joints] * mirror[:, None] * mirror
    return flipped, camera * camera.new_tensor([1.0, -1.0, 1.0])


def flip_points(
    points: Float[Tensor, "B J D"], mirror_joints: Int[Tensor, "J"]
) -> Float[Tensor, "B J D"]:
    """Joints of the mirror image, in camera metres or crop-normalised coordinates: x -> -x."""
    mirror = points.new_ones(points.shape[-1])
    mirror[0] = -1
    return points[:, mirror_joints] * mirror
