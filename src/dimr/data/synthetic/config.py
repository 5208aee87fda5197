"""How often what happens in synthetic samples."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticConfig:
    """Probabilities and ranges; weights that ship also learnt from `dimr.train.run.POSES`."""

    bank_poses: float = 0.6
    """Share of poses from motion capture (where a bank is there); the others are procedural."""
    extreme_poses: float = 0.06
    """Share of targets in an extreme pose."""
    hug: float = 0.06
    """Share of crops in which somebody embraces the target."""
    garments: float = 0.5
    """Share of people in real garments (where a wardrobe is there); the others are painted."""
    dark_clothes: float = 0.1
    loose_clothes: float = 0.12
    low_light: float = 0.06
    """Share of pictures that are dark."""
    frontal_share: float = 0.7
    """Share of people whose yaw is within 60 degrees of frontal; the others face anywhere."""
    elevation_deg: tuple[float, float] = (-20.0, 45.0)
    """Range of the camera's height angle; + looks down. Small angles are the most frequent."""
    roll_deg: float = 5.0
    """Standard deviation of the camera's roll."""
    distance_m: tuple[float, float] = (1.7, 14.0)
    """Distance to a person of whom all is meant to be seen, log-uniform."""
    close_distance_m: tuple[float, float] = (0.9, 7.0)
    """Distance for close-ups."""
    off_axis: float = 0.05
    """Standard deviation of the tangent (x and y) between the optical axis and the target. A crop
    does not show it, but it turns what the crop shows against the camera axes that the labels are
    in: the larger, the blurrier the root rotation that can be learnt."""
    close_up: float = 0.3
    """Probability that the detector's box holds a part of the target's body only."""
    focus: str | None = None
    """What every close-up is about, one of `staging.FOCUS_PARTS`; None draws it."""
    picture_edge: float = 0.5
    """Probability that a close-up is cut by the picture's edge (black beyond), not by the box."""
    box_scale: tuple[float, float] = (1.05, 1.6)
    """Side of the crop over the longer side of the box."""
    box_shift: float = 0.12
    """Largest shift of the crop, in sides of the crop."""
    others: tuple[float, ...] = (0.45, 0.3, 0.15, 0.1)
    """Probabilities of 0, 1, 2, 3 people beside the target."""
    objects: tuple[float, ...] = (0.42, 0.33, 0.16, 0.09)
    """Probabilities of 0, 1, 2, 3 objects."""
    table_top: float = 0.22
    """Probability that an object is something broad that hides all below a line."""
    object_in_front: float = 0.85
    """Probability that an object is nearer than everybody, not between target and background."""
    min_visible_share: float = 0.12
    """What hides more of the target than this leaves is taken away."""
    min_visible_pixels: int = 60
    """The same, in pixels of the labels' grid."""
    scene_people: tuple[float, ...] = (0.06, 0.2, 0.2, 0.17, 0.13, 0.1, 0.06, 0.05, 0.03)
    """Probabilities of 0 .. 8 people in a scene."""
    scene_groups: float = 0.4
    """Probability that a further person of a scene stands with an earlier one."""
    scene_height: tuple[float, float] = (0.16, 1.6)
    """Height of a standing person over the side of the scene, log-uniform."""
    photo: float = 0.7
    """Probability of a photo as background where a folder is given."""

    def __post_init__(self) -> None:
        for name in ("others", "objects", "scene_people"):
            shares = getattr(self, name)
            if abs(sum(shares) - 1) > 1e-6 or min(shares) < 0:
                raise ValueError(f"{name}: got {shares}, want probabilities that sum to 1")
        for name in (
            "bank_poses", "extreme_poses", "hug", "garments", "dark_clothes", "loose_clothes",
            "low_light", "frontal_share", "close_up", "picture_edge", "table_top", "photo",
            "object_in_front", "scene_groups",
        ):  # fmt: skip
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, want a probability")
