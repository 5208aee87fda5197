"""Regressors from vertices to SMPL's joints and to the keypoints of COCO, LSP and Human3.6M.

`J_regressor` reads joints off the unposed body, as in SMPL. The keypoint regressors read posed
bodies, so they are fitted to posed people, with non-negative weights.
"""

from pathlib import Path

import anny
import numpy as np
import torch
from scipy.stats import norm, qmc

from dimr.body.keypoints import JOINT_MIRROR, JOINT_NAMES, JOINT_PARENTS
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.body.skinning import forward_kinematics, linear_blend_skinning
from open_body.regress import fit_positive, fit_signed
from open_body.rig import smpl_joints
from open_body.source import Source, rest_shapes

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
FACE_MIRROR = np.array([0, 2, 1, 4, 3])
JOINT_CANDIDATES, JOINT_RIDGE_M2 = 600, 1e-6
POSED_CANDIDATES, POSED_RIDGE_M2 = 400, 1e-4
FACE_CANDIDATES, FACE_RIDGE_M2 = 60, 1e-6
NUM_POSES = 512
POSE_DEVIATION_RAD = 0.35
FLEXION = {"knee": ((1, 0, 0), (1, 0, 0)), "elbow": ((0, -1, 0), (0, 1, 0))}
"""Axes, left and right, about which a joint bends by up to 2 radians."""


def face_points(source: Source, people: dict[str, np.ndarray], heads: np.ndarray) -> np.ndarray:
    """Nose, eyes and ears (N, 5, 3) of T-posed people by anny's own COCO regressor.

    The T-pose does not turn the head, so it only moves with the pelvis to the origin.
    """
    folder = Path(anny.__file__).parent / "data" / "keypoints"
    rows = torch.load(folder / "coco.pth", weights_only=True)
    weights = np.stack([rows[name].numpy() for name in FACE])
    used = np.flatnonzero(weights.any(0))
    points, _ = rest_shapes(source, people, used)
    pelvis = smpl_joints(source, heads)[:, :1]
    return np.einsum("kv,nvi->nki", weights[:, used], points) - pelvis


def pose_people(
    rest: np.ndarray, joints: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first NUM_POSES people in wide random poses, the same at every call.

    Args:
        rest: (N, V, 3) T-posed bodies.
        joints: (N, 24, 3) their joints.
        weights: (V, 24) skin weights.

    Returns:
        (NUM_POSES, V, 3) vertices and (NUM_POSES, 24, 3) joints.
    """
    draws = qmc.Sobol(76, scramble=False).random(NUM_POSES) + 0.5 / NUM_POSES
    theta = norm.ppf(draws[:, :72]).reshape(-1, 24, 3) * POSE_DEVIATION_RAD
    column = 72
    for part, axes in FLEXION.items():
        for side, axis in zip("LR", axes, strict=True):
            bend = 2 * draws[:, column, None] * np.array(axis)
            theta[:, JOINT_NAMES.index(f"{side}_{part}")] += bend
            column += 1
    theta[:, 0] = 0
    rotmats = axis_angle_to_rotmat(torch.from_numpy(theta))
    rest_joints = torch.from_numpy(joints[:NUM_POSES])
    posed_joints, transforms = forward_kinematics(rotmats, rest_joints, list(JOINT_PARENTS))
    skin = torch.from_numpy(weights)
    posed = [
        linear_blend_skinning(torch.from_numpy(body)[None], transforms[i, None], skin)[0]
        for i, body in enumerate(rest[:NUM_POSES])
    ]
    return torch.stack(posed).numpy(), posed_joints.numpy()


def fit_joints(
    samples: np.ndarray, joints: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joint regressor (24, V) of unposed bodies and residuals (24,) in metres."""
    nearest = (samples.mean(0), joints.mean(0), JOINT_CANDIDATES)
    return _fit(
        fit_signed, JOINT_RIDGE_M2, samples, joints, mirror, np.array(JOINT_MIRROR), nearest
    )


def fit_posed_joints(
    samples: np.ndarray,
    joints: np.ndarray,
    mirror: np.ndarray,
    posed: np.ndarray,
    posed_joints: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Joint regressor (24, V) of posed bodies and residuals (24,) in metres."""
    nearest = (samples.mean(0), joints.mean(0), POSED_CANDIDATES)
    return _fit(
        fit_positive, POSED_RIDGE_M2, posed, posed_joints, mirror, np.array(JOINT_MIRROR), nearest
    )


def fit_face(
    samples: np.ndarray, points: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regressor (5, V) of nose, eyes and ears, and residuals (5,) in metres."""
    nearest = (samples.mean(0), points.mean(0), FACE_CANDIDATES)
    return _fit(fit_positive, FACE_RIDGE_M2, samples, points, mirror, FACE_MIRROR, nearest)


def _fit(solve, ridge_m2, samples, targets, mirror, mirror_targets, nearest):
    """Fits the left and middle points; the right ones are mirror images."""
    rest, rest_targets, num_candidates = nearest
    weights = np.zeros((targets.shape[1], samples.shape[1]))
    for k, twin in enumerate(mirror_targets):
        if twin < k:
            weights[k] = weights[twin][mirror]
            continue
        near = np.argsort(np.linalg.norm(rest - rest_targets[k], axis=1), kind="stable")
        chosen = np.sort(near[:num_candidates])
        weights[k, chosen] = solve(samples[:, chosen], targets[:, k], ridge_m2)
        if twin == k:
            weights[k] = (weights[k] + weights[k][mirror]) / 2
    weights[np.abs(weights) < 1e-7] = 0
    residual = np.einsum("nvi,kv->nki", samples, weights, optimize=True) - targets
    return weights, np.sqrt((residual**2).sum(-1).mean(0))


def keypoint_sets(
    joints: np.ndarray, face: np.ndarray, template: np.ndarray, mirror: np.ndarray
) -> dict[str, np.ndarray]:
    """Regressors (K, V) of the three keypoint sets, as mixtures of joints and face points.

    COCO and LSP joints are SMPL's. LSP's neck and Human3.6M's "neck" lie between the neck joint
    and the middle of the shoulders. Human3.6M's head is inside the skull, LSP's head top on it.
    """
    row = {name: joints[index] for index, name in enumerate(JOINT_NAMES)}
    row |= {name: face[index] for index, name in enumerate(FACE)}
    midline = np.flatnonzero(mirror == np.arange(len(template)))
    top = np.zeros(len(template))
    top[midline[np.argmax(template[midline, 1])]] = 1
    thorax = row["neck"] / 2 + (row["L_shoulder"] + row["R_shoulder"]) / 4
    left_leg, right_leg, left_arm, right_arm = (
        [row[f"{side}_{part}"] for part in parts]
        for parts in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
        for side in "LR"
    )
    coco = [row[name] for name in FACE]
    coco += [limb[i] for i in range(3) for limb in (left_arm, right_arm)]
    coco += [limb[i] for i in range(3) for limb in (left_leg, right_leg)]
    lsp = [*right_leg[::-1], *left_leg, *right_arm[::-1], *left_arm, thorax, top]
    h36m = [
        (row["L_hip"] + row["R_hip"]) / 2,
        *left_leg,
        *right_leg,
        row["spine2"],
        thorax,
        (row["head"] + row["nose"]) / 2,
        0.25 * row["head"] + 0.75 * top,
        *left_arm,
        *right_arm,
    ]
    return {"coco17": np.stack(coco), "lsp14": np.stack(lsp), "h36m17": np.stack(h36m)}
