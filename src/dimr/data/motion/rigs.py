"""Joint names of the skeletons that `retarget` knows, and their T-poses."""

from collections.abc import Sequence
from typing import NamedTuple

SIDE_PARTS = ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist", "hand")
OPTIONAL_PARTS = frozenset({"collar", "wrist", "hand"})
Degrees = tuple[float | int, float | int, float | int]


class Rig(NamedTuple):
    """Which joint of a skeleton drives which of SMPL's; `{}` in a name stands for the side."""

    name: str
    sides: tuple[str, str]
    """How names say left and right."""
    pelvis: str
    spine: tuple[str, ...]
    """Drives spine1 to spine3: three joints, or one whose rotation is spread."""
    head: str
    parts: dict[str, str]
    """Keys from `SIDE_PARTS`; those of `OPTIONAL_PARTS` may be missing."""
    turns: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Of bones in several pieces, the piece that says how a part is turned about the bone."""
    knuckles: tuple[str, ...] = ()
    """Fingers' first joints, forefinger to little finger, if the rest pose's palm is not down."""
    toe: str | None = None
    """Tells where a foot of the rest pose points; None: forwards."""
    t_pose_deg: dict[str, Degrees] = {}  # noqa: RUF012 - never changed
    """Local rotation vectors, in SMPL's axes, that take the skeleton's zero pose to a T-pose: arms
    sideways, elbows that fold forwards, palms down, legs down, feet flat, head level."""
    only_splayed: bool = False
    """`t_pose_deg` is for zero poses with splayed legs; others with these names are T-poses."""

    def joint(self, part: str, side: int) -> str:
        """Name of the joint of a part; side 0 is left."""
        return self.parts[part].format(self.sides[side])

    def turn(self, part: str, side: int) -> str:
        """Name of the joint whose rotation a part has."""
        return self.turns.get(part, self.parts[part]).format(self.sides[side])

    def wanted(self) -> list[str]:
        """All names that the skeleton must have."""
        sides = [self.joint(part, side) for part in self.parts for side in (0, 1)]
        sides += [self.turn(part, side) for part in self.turns for side in (0, 1)]
        knuckles = [name.format(side) for name in self.knuckles for side in self.sides]
        toes = [self.toe.format(side) for side in self.sides] if self.toe else []
        return [self.pelvis, *self.spine, self.head, *sides, *knuckles, *toes, *self.t_pose_deg]


CMU = Rig(
    name="CMU (cgspeed names)",
    sides=("Left", "Right"),
    pelvis="Hips",
    spine=("LowerBack", "Spine", "Spine1"),
    head="Head",
    parts={
        "hip": "{}UpLeg", "knee": "{}Leg", "ankle": "{}Foot", "shoulder": "{}Arm",
        "elbow": "{}ForeArm", "wrist": "{}Hand",
    },
    # Legs rest splayed, head up, elbow hinges 30 degrees off the vertical. Toes drive nothing:
    # those of left and right feet that stand flat differ by 15 degrees.
    toe="{}ToeBase",
    t_pose_deg={
        "LeftUpLeg": (0, 0, -21), "RightUpLeg": (0, 0, 21), "Neck": (-16, 0, 0),
        "Neck1": (21, 0, 0), "Head": (11, 0, 0), "LeftArm": (30, 0, 0), "RightArm": (30, 0, 0),
        "LeftHand": (-30, 0, 0), "RightHand": (-30, 0, 0),
    },
    only_splayed=True,
)  # fmt: skip
DEEPMIMIC = Rig(
    name="DeepMimic humanoid",
    sides=("left", "right"),
    pelvis="root",
    spine=("chest",),
    head="neck",
    parts={
        "hip": "{}_hip", "knee": "{}_knee", "ankle": "{}_ankle", "shoulder": "{}_shoulder",
        "elbow": "{}_elbow",
    },
    # Arms rest hanging; the neck's bone is upright at rest, a person's leans forwards.
    t_pose_deg={
        "left_shoulder": (0, 0, 90), "right_shoulder": (0, 0, -90), "neck": (14, 0, 0),
    },
)  # fmt: skip
MAKEHUMAN = Rig(
    name="MakeHuman default",
    sides=("L", "R"),
    pelvis="root",
    spine=("spine03", "spine02", "spine01"),
    head="head",
    parts={
        "hip": "upperleg01.{}", "knee": "lowerleg01.{}", "ankle": "foot.{}",
        "collar": "shoulder01.{}", "shoulder": "upperarm01.{}", "elbow": "lowerarm01.{}",
        "wrist": "wrist.{}", "hand": "finger3-1.{}",
    },
    turns={"hip": "upperleg02.{}", "shoulder": "upperarm02.{}"},
    knuckles=("finger2-1.{}", "finger3-1.{}", "finger4-1.{}", "finger5-1.{}"),
    toe="toe3-1.{}",
)  # fmt: skip
NAMED_RIGS = (CMU, MAKEHUMAN)
"""Those that a BVH file may have."""


def find_rig(names: Sequence[str]) -> Rig:
    """The rig whose joints are all among the names.

    Raises:
        ValueError: if there is none; names what the most similar rig lacks.
    """
    missing = {rig.name: sorted(set(rig.wanted()) - set(names)) for rig in NAMED_RIGS}
    nearest = min(NAMED_RIGS, key=lambda rig: len(missing[rig.name]) / len(rig.wanted()))
    if missing[nearest.name]:
        raise ValueError(
            f"skeleton: got joints {', '.join(list(names)[:6])}, ..., want those of "
            f"{' or '.join(rig.name for rig in NAMED_RIGS)}; {nearest.name} would need also "
            f"{', '.join(missing[nearest.name])}"
        )
    return nearest
