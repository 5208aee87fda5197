"""Points that follow the bones of a posed body, and their derivatives by what is sought.

Turns are parametrised in camera axes about the posed joints; under linear blend skinning the
derivative of a point by the turn of a joint is then a cross product, and no autograd is needed.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dimr.body.camera import NEAREST, Lens
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.body.skinning import forward_kinematics
from dimr.types import Regression


class Points(NamedTuple):
    """Points that follow the bones: sum_k turn_k (rest_k + shape_k beta) + share_k shift_k."""

    rest: Float[Tensor, "N 24 3"]
    shape: Float[Tensor, "N 24 3 10"]
    share: Float[Tensor, "N 24"]


class State(NamedTuple):
    """What is sought; zoom is the logarithm of the scale relative to the start's."""

    rotmats: Float[Tensor, "24 3 3"]
    betas: Float[Tensor, "10"]
    zoom: Float[Tensor, "1"]
    shift_norm: Float[Tensor, "2"]


class Skeleton(NamedTuple):
    """A posed skeleton and its derivatives by beta."""

    joints_m: Float[Tensor, "24 3"]
    turns: Float[Tensor, "24 3 3"]
    shifts_m: Float[Tensor, "24 3"]
    shifts_by_beta: Float[Tensor, "10 24 3"]


def vertex_points(
    regression: Regression,
    body: BodyModel,
    vertices: Int[np.ndarray, "N C"],
    weights: Float[np.ndarray, "N C"],
) -> Points:
    """Weighted sums of vertices, with the pose correctives of the regression."""
    rest = body.vertices_rest(regression.rotmats, torch.zeros_like(regression.betas))[0]
    index = torch.from_numpy(vertices.astype(np.int64)).to(rest.device)
    skinning = (body.weights[index] * as_tensor(weights).to(rest.device)[..., None]).cpu()
    return Points(
        torch.einsum("nck,nci->nki", skinning, rest[index].cpu()),
        torch.einsum("nck,ncib->nkib", skinning, body.shapedirs[index].cpu()),
        skinning.sum(1),
    )


def bone_points(
    body: BodyModel,
    joints: Int[np.ndarray, "N"],
    bones: Int[np.ndarray, "N"],
    offsets_m: Float[np.ndarray, "N 3"],
) -> Points:
    """Points at an offset from a joint, in the axes of the rest pose, that move with a bone."""
    index = torch.from_numpy(joints.astype(np.int64))
    share = torch.nn.functional.one_hot(torch.from_numpy(bones.astype(np.int64)), 24).float()
    rest = body.joints_template.cpu()[index] + as_tensor(offsets_m)
    shape = body.joints_shapedirs.cpu()[index]
    return Points(share[..., None] * rest[:, None], share[..., None, None] * shape[:, None], share)


def descendants(parents: tuple[int, ...]) -> Float[Tensor, "24 24"]:
    """1 where the column's joint moves with the row's."""
    moves = torch.eye(len(parents))
    for joint in range(len(parents) - 1, 0, -1):
        moves[parents[joint]] += moves[joint]
    return moves


def pose_skeleton(
    state: State,
    joints_template: Float[Tensor, "24 3"],
    joints_shapedirs: Float[Tensor, "24 3 10"],
    parents: tuple[int, ...],
) -> Skeleton:
    """Joints and bones are linear in the rest joints, hence in beta: a batch of 1 + 10 bodies."""
    rest = (joints_template + joints_shapedirs @ state.betas)[None]
    bodies = torch.cat([rest, joints_shapedirs.permute(2, 0, 1)])
    joints, transforms = forward_kinematics(
        state.rotmats.expand(len(bodies), -1, -1, -1), bodies, parents
    )
    shifts = transforms[..., :3, 3]
    return Skeleton(joints[0], transforms[0, :, :3, :3], shifts[0], shifts[1:])


def pose_points(
    points: Points,
    state: State,
    posed: Skeleton,
    descends: Float[Tensor, "24 24"],
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3 85"]]:
    """Points in metres along camera axes, and their derivatives by a step.

    A step holds, for each joint, a turn in camera axes about the posed joint; then changes of
    beta, zoom and shift (which move nothing here).
    """
    rest, shape, share = points
    turned = torch.einsum("kij,nkj->nki", posed.turns, rest + shape @ state.betas)
    on_bone = turned + share[..., None] * posed.shifts_m  # [N, 24, 3]: bones' contributions
    moving = torch.einsum("jk,nki->nji", descends, on_bone)
    arm = moving - (share @ descends.T)[..., None] * posed.joints_m  # turns about each joint
    nothing = torch.zeros_like(arm[..., 0])
    x, y, z = arm.unbind(-1)
    by_turn = torch.stack(  # turn x arm
        [
            torch.stack([nothing, z, -y], dim=-1),
            torch.stack([-z, nothing, x], dim=-1),
            torch.stack([y, -x, nothing], dim=-1),
        ],
        dim=1,
    )
    by_beta = torch.einsum("kij,nkjb->nib", posed.turns, shape) + torch.einsum(
        "nk,bki->nib", share, posed.shifts_by_beta
    )
    by_camera = torch.zeros(len(arm), 3, 3)
    return moving[:, 0], torch.cat([by_turn.flatten(2), by_beta, by_camera], dim=2)


def project_points(
    place_m: Float[Tensor, "N 3"],
    jacobian: Float[Tensor, "N 3 85"],
    state: State,
    scale: Float[Tensor, ""],
    lens: Lens,
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N 2 85"]]:
    """The same in the crop: through the lens, with the start's scale zoomed and shifted."""
    scale = scale * state.zoom.exp()
    middle = place_m.new_tensor(lens.middle_norm)
    bend = scale / lens.focal_norm
    depth = 1 + bend * place_m[:, 2:]
    too_near = depth < NEAREST
    depth = depth.clamp(min=NEAREST)
    seen = (scale * place_m[:, :2] + state.shift_norm - middle) / depth
    by_depth = (bend * seen / depth).masked_fill(too_near, 0)
    by_step = (scale / depth)[..., None] * jacobian[:, :2] - by_depth[..., None] * jacobian[:, 2:]
    by_step[..., -3] = scale * place_m[:, :2] / depth - by_depth * place_m[:, 2:]
    by_step[..., -2:] = torch.eye(2) / depth[..., None]
    return seen + middle, by_step


def advance(state: State, turns: Float[Tensor, "24 3 3"], step: Float[Tensor, "85"]) -> State:
    """Turns in camera axes become turns in each joint's own axes."""
    own = (turns.mT @ step[:72].view(24, 3, 1))[..., 0]
    return State(
        state.rotmats @ axis_angle_to_rotmat(own),
        state.betas + step[72:82],
        state.zoom + step[82:83],
        state.shift_norm + step[83:],
    )


def as_tensor(values: np.ndarray) -> Tensor:
    """In float32, on the CPU."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
