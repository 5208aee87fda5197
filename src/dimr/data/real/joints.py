"""Named joint sets of the data sets: which number means which joint.

Left and right are the person's own (`L_`, `R_`). Equal names mean the same place on the body;
joints that only resemble each other have different names (`L_hip` of SMPL is not LSP's hip, but
the field treats limb joints alike, so limbs share their names). OpenPose's copies of SPIN's 49
joints end in `_op`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dimr.body.keypoints import JOINT_NAMES, KEYPOINT_NAMES

_OPENPOSE25 = (
    "nose neck R_shoulder R_elbow R_wrist L_shoulder L_elbow L_wrist mid_hip R_hip R_knee R_ankle "
    "L_hip L_knee L_ankle R_eye L_eye R_ear L_ear L_big_toe L_small_toe L_heel R_big_toe "
    "R_small_toe R_heel"
).split()
_SPIN24 = (
    "R_ankle R_knee R_hip L_hip L_knee L_ankle R_wrist R_elbow R_shoulder L_shoulder L_elbow "
    "L_wrist neck head_top pelvis_mpii thorax spine jaw head nose L_eye R_eye L_ear R_ear"
).split()
_HUMAN_DATA = {
    0: "pelvis",
    **dict(enumerate("L_hip R_hip spine1 L_knee R_knee spine2 L_ankle R_ankle spine3".split(), 1)),
    **dict(enumerate("L_foot R_foot neck_smpl L_collar R_collar head_smpl".split(), 10)),
    **dict(enumerate("L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist".split(), 16)),
    **dict(enumerate("nose R_eye L_eye R_ear L_ear".split(), 55)),
    **dict(enumerate("R_hip_lsp L_hip_lsp neck head_top pelvis_mpii thorax spine".split(), 144)),
    **dict(enumerate("jaw head".split(), 151)),
    **dict(enumerate((f"{name}_op" for name in _OPENPOSE25), 153)),
    **dict(enumerate("spine4 L_clavicle R_clavicle L_hand_3dhp R_hand_3dhp".split(), 178)),
    **dict(enumerate("L_toe_3dhp R_toe_3dhp head_h36m head_top_h36m head_bottom".split(), 183)),
    **dict(enumerate("L_hand R_hand".split(), 188)),
}
"""MMHuman3D's HUMAN_DATA: the body among its 190 places; face and fingers have no names here."""

JOINT_SETS: dict[str, tuple[str, ...]] = {
    "smpl24": tuple(JOINT_NAMES),
    **{name: tuple(names) for name, names in KEYPOINT_NAMES.items()},
    "openpose18": (*_OPENPOSE25[:8], *_OPENPOSE25[9:19]),
    "spin24": tuple(_SPIN24),
    "spin49": (*(f"{name}_op" for name in _OPENPOSE25), *_SPIN24),
    "muco21": tuple(
        "head_top thorax R_shoulder R_elbow R_wrist L_shoulder L_elbow L_wrist R_hip R_knee "
        "R_ankle L_hip L_knee L_ankle pelvis spine head R_hand L_hand R_toe L_toe".split()
    ),
    "ochuman19": tuple(
        "R_shoulder R_elbow R_wrist L_shoulder L_elbow L_wrist R_hip R_knee R_ankle L_hip L_knee "
        "L_ankle head neck R_ear L_ear nose R_eye L_eye".split()
    ),
    "human_data190": tuple(_HUMAN_DATA.get(place, f"unnamed_{place}") for place in range(190)),
}
"""Name of a set -> names of its joints, in order."""

LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("L", "R")
)
"""The twelve joints that every set names."""

_OTHER_PLACES = {"smpl24": ("neck", "head")}
"""SMPL's own neck and head joints lie elsewhere than the keypoints of those names."""


def select_joints(
    set_name: str,
    places: Float[np.ndarray, "K D"],
    confidence: Float[np.ndarray, "K"],
    wanted: Sequence[str],
) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "N"]]:
    """The wanted joints of a set by name; zero with confidence 0 where the set has none.

    Where a joint is not labelled, LSP's reading of it (`..._lsp`) stands in.
    """
    names = JOINT_SETS[set_name]
    elsewhere = _OTHER_PLACES.get(set_name, ()) if tuple(wanted) != names else ()
    chosen = np.zeros((len(wanted), places.shape[1]), np.float32)
    weight = np.zeros(len(wanted), np.float32)
    for row, name in enumerate(wanted):
        for candidate in (name, f"{name}_lsp"):
            if candidate in names and candidate not in elsewhere and weight[row] == 0:
                index = names.index(candidate)
                chosen[row], weight[row] = places[index], confidence[index]
    return np.where(weight[:, None] > 0, chosen, np.float32(0)), weight
