"""A clip of motion in SMPL's convention, its kind of motion, and whether it is extreme."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

KIND_WORDS = {
    "acrobatics": (
        "flip",
        "cartwheel",
        "handstand",
        "acrobat",
        "somersault",
        "breakdanc",
        "gym",
        "fly",
    ),
    "floor": ("crawl", "roll", "getup", "get_up", "lying", "fall"),
    "kicking": ("kick", "capoeira", "karate"),
    "dancing": ("danc", "ballet", "salsa"),
    "jumping": ("jump", "hop", "spin", "leap"),
    "fighting": ("punch", "fight", "box"),
    "signalling": ("signal", "traffic", "wave", "gesture"),
    "ball": ("ball", "soccer", "tennis", "golf", "throw"),
    "running": ("run", "jog", "sprint"),
    "walking": ("walk", "zombie", "step", "stairs"),
    "working": ("wash", "clean", "lift", "carry"),
    "sitting": ("sit", "chair"),
    "standing": ("stand", "idle", "stretch", "yoga"),
}
"""Kinds of motion and the parts of a clip's name that tell them; the first match counts."""
OTHER_KIND = "other"
EXTREME_KINDS = frozenset({"acrobatics", "floor", "kicking", "jumping"})
"""Kinds that hold poses far from those of people who stand, walk or sit."""
TILTED_DEG = 60.0
TILTED_SHARE = 0.1
"""A clip of any kind is extreme if the pelvis is tilted so far in so many of its frames."""


class Clip(NamedTuple):
    """One recording of one person."""

    name: str
    kind: str
    """What is done: a key of `KIND_WORDS` or `OTHER_KIND`."""
    fps: float
    rotmats: Float[np.ndarray, "N 24 3 3"]
    """SMPL's local rotations; the root's maps the body to a y-up world, facing +z at rest."""
    root_m: Float[np.ndarray, "N 3"] | None
    """Place of the pelvis in that world."""
    group: str
    """Clips of one group (a subject, a clip and its mirror image) must not be split."""


def kind_of(name: str) -> str:
    """The kind of motion that a clip's name tells."""
    lower = name.lower()
    for kind, words in KIND_WORDS.items():
        if any(word in lower for word in words):
            return kind
    return OTHER_KIND


def is_extreme(clip: Clip) -> bool:
    """Whether the clip is of an extreme kind, or its person is often bent over or lying."""
    upright = clip.rotmats[:, 0, 1, 1]
    tilted = upright < np.cos(np.deg2rad(TILTED_DEG))
    return clip.kind in EXTREME_KINDS or bool(tilted.mean() >= TILTED_SHARE)
