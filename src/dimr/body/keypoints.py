"""Names, parents and mirror tables of SMPL's joints and of the three keypoint sets.

Left and right are the person's own. Orders: SMPL's 24 joints; COCO's 17 keypoints; the 14 joints
of LSP, which are also the 14 of the usual evaluation; SPIN's order of Human3.6M's 17, left leg
first.
"""

from collections.abc import Sequence

JOINT_NAMES = (
    "pelvis L_hip R_hip spine1 L_knee R_knee spine2 L_ankle R_ankle spine3 L_foot R_foot neck "
    "L_collar R_collar head L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist L_hand R_hand"
).split()
JOINT_PARENTS = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    *(9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)

COCO17_NAMES = (
    "nose L_eye R_eye L_ear R_ear L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist L_hip "
    "R_hip L_knee R_knee L_ankle R_ankle"
).split()
LSP14_NAMES = (
    "R_ankle R_knee R_hip L_hip L_knee L_ankle R_wrist R_elbow R_shoulder L_shoulder L_elbow "
    "L_wrist neck head_top"
).split()
H36M17_NAMES = (
    "pelvis L_hip L_knee L_ankle R_hip R_knee R_ankle spine neck jaw head L_shoulder L_elbow "
    "L_wrist R_shoulder R_elbow R_wrist"
).split()

H36M17_TO_LSP14 = (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10)
"""The 14 joints of the usual evaluation among Human3.6M's 17 (SPIN's H36M_TO_J14)."""

LSP14_EDGES = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 12), (9, 12), (9, 10)),
    *((10, 11), (12, 13)),
)


def mirror_table(names: Sequence[str]) -> tuple[int, ...]:
    """For each name, the index of its other side: L_x and R_x change places."""
    other = {"L_": "R_", "R_": "L_"}
    return tuple(names.index(other.get(name[:2], name[:2]) + name[2:]) for name in names)


JOINT_MIRROR = mirror_table(JOINT_NAMES)
KEYPOINT_NAMES = {"coco17": COCO17_NAMES, "lsp14": LSP14_NAMES, "h36m17": H36M17_NAMES}
KEYPOINT_MIRROR = {name: mirror_table(names) for name, names in KEYPOINT_NAMES.items()}
