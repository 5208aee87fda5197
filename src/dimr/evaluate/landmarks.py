"""The world landmarks of the original BlazePose network beside our meshes (`LANDMARKS`).

The network is the "full" one that ships as our encoder, run here the way MediaPipe tracks people:
a look at the whole crop, then one at the window that its landmarks ask for. It is not MediaPipe's
package: neither its person detector nor its smoothing over time takes part. Compared are the 12
joints of arms and legs that both know. BlazePose's hips and shoulders lie elsewhere in the body
than SMPL's, which costs it some millimetres. It sees the most prominent person of the crop; of
ours, the person is taken whose box fits the target's best. Between the two stand the landmarks
that both of our stages hear: of the network that is told who is meant.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from dimr.body.keypoints import JOINT_NAMES
from dimr.body.landmarks import LIMB_LANDMARKS
from dimr.correspondence.confirm import PRESENT, glance, track
from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.people import CropSample
from dimr.encoder.blazepose import LANDMARK_SIZE, BlazePose
from dimr.evaluate.errors import mpjpe_mm, pa_mpjpe_mm
from dimr.evaluate.synthetic import best_box, view_of
from dimr.image.crop import picture_centre_px
from dimr.types import Crop, Prediction

LIMB_JOINTS = tuple(
    JOINT_NAMES.index(name)
    for name in (
        "L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist "
        "L_hip R_hip L_knee R_knee L_ankle R_ankle"
    ).split()
)
"""The 12 joints of `LIMB_LANDMARKS`, of SMPL's 24."""
HIPS = (6, 7)
"""Of the 12; the point between them is where both are moved."""

Predict = Callable[[UInt8[np.ndarray, "H W 3"]], Prediction]
Landmarks = Callable[[CropSample], Float[np.ndarray, "39 3"]]


class LimbErrors(NamedTuple):
    """Of one person's 12 joints, in mm."""

    pa_mpjpe_mm: float
    mpjpe_mm: float
    """After moving the middle of the hips to the true one."""


class LimbScore(NamedTuple):
    """Of one sample; None is a miss."""

    blazepose: LimbErrors | None
    landmarks: LimbErrors | None
    dimr: LimbErrors | None


class LimbMeans(NamedTuple):
    """Over the people of a set who were found."""

    people: int
    found: int
    errors: LimbErrors | None
    """None if nobody was found."""


@torch.inference_mode()
def find_world_landmarks(
    network: BlazePose, picture: UInt8[np.ndarray, "H W 3"]
) -> Float[np.ndarray, "39 3"] | None:
    """World landmarks (metres, origin between the hips, camera axes) of the person in a picture.

    None where it sees nobody: at the first look, as in our own search, or with a presence below
    `PRESENT` at the second.
    """
    height, width = picture.shape[:2]
    window = Crop(picture_centre_px(width, height), float(max(width, height)), LANDMARK_SIZE)
    moved = track(network, picture, window)
    if moved is None:
        return None
    _, world_m, presence = glance(network, picture, moved)
    return window_to_camera(world_m, moved) if presence >= PRESENT else None


def window_to_camera(points_m: Float[np.ndarray, "N 3"], window: Crop) -> Float[np.ndarray, "N 3"]:
    """Points along the axes of a rotated window, along the camera's."""
    cos, sin = np.cos(window.angle_rad), np.sin(window.angle_rad)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return (points_m @ turn.T).astype(np.float32)


def limb_errors(
    limbs_m: Float[np.ndarray, "12 3"], target_m: Float[np.ndarray, "12 3"]
) -> LimbErrors:
    """Errors of the 12 joints, `LIMB_JOINTS`' order, camera axes."""
    found, target = (torch.from_numpy(each).float()[None] for each in (limbs_m, target_m))
    hips = list(HIPS)
    moved, wanted = (each - each[:, hips].mean(1, keepdim=True) for each in (found, target))
    return LimbErrors(float(pa_mpjpe_mm(found, target)), float(mpjpe_mm(moved, wanted, root=None)))


def marked_landmarks(sample: CropSample, stage1: Stage1) -> Float[np.ndarray, "39 3"]:
    """World landmarks (metres, camera axes) of the person that stage 1 is asked about."""
    pose = view_of(sample, stage1, "predicted").features.pose
    assert pose is not None
    return pose[0, :, 5:8].float().cpu().numpy()


def score_limbs(
    sample: CropSample, network: BlazePose, landmarks_of: Landmarks, predict: Predict
) -> LimbScore:
    """All methods on the picture of a synthetic crop."""
    target = sample.joints_m[list(LIMB_JOINTS)]
    landmarks = find_world_landmarks(network, sample.image)
    marked = landmarks_of(sample)[list(LIMB_LANDMARKS)]
    person = best_box(predict(sample.image).people, sample.people.box_px[0])
    return LimbScore(
        None if landmarks is None else limb_errors(landmarks[list(LIMB_LANDMARKS)], target),
        limb_errors(marked, target),
        None if person is None else limb_errors(person.joints_cam_m[list(LIMB_JOINTS)], target),
    )


def limb_means(scores: Sequence[LimbScore], method: str, found_by_both: bool = False) -> LimbMeans:
    """Means of a method over those whom it found, or over those whom all methods found.

    Args:
        scores: of all people.
        method: a field of `LimbScore`.
        found_by_both: leave out whom another method missed.
    """
    people = [score for score in scores if not found_by_both or None not in score]
    errors = [getattr(score, method) for score in people]
    rows = np.array([each for each in errors if each is not None], np.float64)
    means = LimbErrors(*rows.mean(0).tolist()) if len(rows) else None
    return LimbMeans(len(scores), len(rows), means)
