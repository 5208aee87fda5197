"""Horizontal flip of a batch of people: pose and joints of the mirror image.

Joints change sides, and the body's left-right symmetry makes the mirrored person a body of the
same model again. `dimr.surface.iuv.flip_iuv` flips an IUV.
"""

from jaxtyping import Float, Int
from torch import Tensor


def flip_pose(
    rotmats: Float[Tensor, "B 24 3 3"], mirror_joints: Int[Tensor, "24"]
) -> Float[Tensor, "B 24 3 3"]:
    """Rotations of the mirror image's joints; the shape stays.

    With M = diag(-1, 1, 1), the rotation of a joint becomes M R M of its mirror joint. This holds
    for the root, too, because M mirrors the camera's x axis as it does the body's.
    """
    mirror = rotmats.new_tensor([-1.0, 1.0, 1.0])
    return rotmats[:, mirror_joints] * mirror[:, None] * mirror


def flip_points(
    points: Float[Tensor, "B J D"], mirror_joints: Int[Tensor, "J"]
) -> Float[Tensor, "B J D"]:
    """Joints of the mirror image, in camera metres or crop-normalised coordinates: x -> -x."""
    mirror = points.new_ones(points.shape[-1])
    mirror[0] = -1
    return points[:, mirror_joints] * mirror
