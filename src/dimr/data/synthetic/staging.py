"""Who stands where before which camera, and what a detector cuts out.

World: y up, the target's floor; a person with yaw zero faces the camera. Camera axes as in
docs/conventions.md. A `Window` is the crop: focal length 1, principal point 0, so a camera point
(X, Y, Z) is at (X / Z, Y / Z) on the image plane and the window says which square of it is seen.
"""

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float

from dimr.data.synthetic import hugging
from dimr.data.synthetic.anatomy import rotation
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.dressing import Dressed
from dimr.data.synthetic.figure import Figure, Tailor
from dimr.data.synthetic.pose_bank import PoseBank
from dimr.data.synthetic.poses import sample_pose
from dimr.data.synthetic.product import product

PELVIS = 0
NEAREST_M = 0.35
"""No vertex of the target comes closer to the camera."""
STANDING_M = 1.7
MAX_BETA = 2.5

FOCUS_PARTS: dict[str, tuple[int, ...]] = {
    "head": (12, 13, 14, 15, 16, 17),
    "bust": (6, 9, 12, 13, 14, 15, 16, 17, 18, 19),
    "upper": (0, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23),
    "to_knee": (0, 1, 2, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23),
    "legs": (0, 1, 2, 4, 5, 7, 8, 10, 11),
    "feet": (4, 5, 7, 8, 10, 11),
    "face": (15,),
}
"""SMPL parts that a close-up is about; the last is taken only where the config asks for it."""
EDGE_SHARE = 0.65
"""Probability that a side of a close-up that the picture's edge may cut is cut by it."""
EMBRACE_TRIES = 4
FOCUS_SHARES = (0.2, 0.22, 0.26, 0.16, 0.12, 0.04)


class Window(NamedTuple):
    """A square of the image plane at focal length 1."""

    centre: Float[np.ndarray, "2"]
    side: float

    def to_norm(self, points_cam_m: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 2"]:
        """Camera metres to window-normalised coordinates."""
        plane = points_cam_m[:, :2] / points_cam_m[:, 2:]
        return (plane - self.centre) * (2 / self.side)


class Placed(NamedTuple):
    """A figure in its clothes, with its place before the camera."""

    figure: Figure
    translation_m: Float[np.ndarray, "3"]
    dressed: Dressed

    @property
    def depth_m(self) -> float:
        """Of the pelvis."""
        return float(self.figure.joints_m[PELVIS, 2] + self.translation_m[2])


class Crop(NamedTuple):
    """What a crop shows; person 0 is the target."""

    people: list[Placed]
    window: Window
    world_to_camera: Float[np.ndarray, "3 3"]
    edges_norm: Float[np.ndarray, "4"]
    """x0, y0, x1, y1: where the full picture ends, window-normalised."""
    box_norm: Float[np.ndarray, "4"]
    """The target's part that the crop is about, window-normalised."""


class Scene(NamedTuple):
    """What a whole picture shows."""

    people: list[Placed]
    window: Window
    world_to_camera: Float[np.ndarray, "3 3"]
    horizon: float
    """Row of the horizon as a share of the height."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def to_pixels(vertices_m, translation, centre_x, centre_y, side, size):
    """(V, 3) float32 of x_px, y_px, depth on a picture of `size` pixels."""
    points = np.empty_like(vertices_m)
    scale = size / side
    middle = (size - 1) / 2
    for v in range(vertices_m.shape[0]):
        z = vertices_m[v, 2] + translation[2]
        inverse = 1 / z if z > 1e-3 else 0.0
        points[v, 0] = ((vertices_m[v, 0] + translation[0]) * inverse - centre_x) * scale + middle
        points[v, 1] = ((vertices_m[v, 1] + translation[1]) * inverse - centre_y) * scale + middle
        points[v, 2] = z
    return points


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _plane_box(vertices_m, translation, chosen):
    """x0, y0, x1, y1 of chosen vertices on the image plane at focal length 1."""
    box = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for v in chosen:
        z = max(vertices_m[v, 2] + translation[2], 0.05)
        x, y = (vertices_m[v, 0] + translation[0]) / z, (vertices_m[v, 1] + translation[1]) / z
        box[0], box[1] = min(box[0], x), min(box[1], y)
        box[2], box[3] = max(box[2], x), max(box[3], y)
    return box


def pick(rng: np.random.Generator, shares: tuple[float, ...]) -> int:
    """An index with the given probabilities."""
    place = rng.random()
    for index, share in enumerate(shares):
        place -= share
        if place < 0:
            return index
    return len(shares) - 1


def log_uniform(rng: np.random.Generator, span: tuple[float, float]) -> float:
    """A number whose logarithm is uniform."""
    return float(span[0] * (span[1] / span[0]) ** rng.random())


class Stage:
    """Draws arrangements of people.

    Args:
        tailor: the body's arrays.
        config: probabilities.
        bank: motion capture of one split; None: procedural poses only.
    """

    def __init__(
        self, tailor: Tailor, config: SyntheticConfig, bank: PoseBank | None = None
    ) -> None:
        if config.focus is not None and config.focus not in FOCUS_PARTS:
            raise ValueError(
                f"focus: got {config.focus!r}, want None or one of {', '.join(FOCUS_PARTS)}"
            )
        self.tailor, self.config, self.bank = tailor, config, bank
        part = tailor.part_of_vertex
        self.all_vertices = np.arange(len(part))
        self.focus_vertices = [
            np.nonzero(np.isin(part, parts))[0] for parts in FOCUS_PARTS.values()
        ]

    def camera(self, rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
        """Rotation from world to camera axes."""
        low, high = self.config.elevation_deg
        if rng.random() < 0.7:
            elevation = float(np.clip(rng.normal(3, 9), low, high))
        else:
            elevation = low + (high - low) * rng.random()
        roll = float(rng.normal() * self.config.roll_deg)
        return product(rotation(2, roll), rotation(0, 180 + elevation))

    def yaw_deg(self, rng: np.random.Generator) -> float:
        """Where somebody faces; 0 is towards the camera."""
        if rng.random() < self.config.frontal_share:
            return 120 * rng.random() - 60
        return 60 + 240 * rng.random()

    def person(
        self,
        rng: np.random.Generator,
        world_to_camera: Float[np.ndarray, "3 3"],
        dressed: Dressed,
        *,
        attitude: str | None = None,
        yaw_deg: float | None = None,
        extreme: bool = False,
    ) -> Figure:
        """A figure of random shape in camera axes; pose and yaw are random unless given."""
        betas = rng.standard_normal(10).clip(-MAX_BETA, MAX_BETA)
        tailor = self.tailor
        pose = sample_pose(
            rng,
            tailor.rest_joints(betas),
            tailor.parents,
            bank=self.bank,
            bank_share=self.config.bank_poses,
            attitude_name=attitude,
            extreme=extreme,
        )
        yaw = self.yaw_deg(rng) if yaw_deg is None else yaw_deg
        rotmats = pose.rotmats
        rotmats[0] = product(product(world_to_camera, rotation(1, yaw)), rotmats[0])
        return tailor.figure(rotmats, betas, dressed.outfit, dressed.pushed)

    def crop(
        self, rng: np.random.Generator, wardrobe: list[Dressed], only_nearer: bool = False
    ) -> Crop:
        """A target (first of `wardrobe`) with neighbours, and the window around it.

        Args:
            rng: source of all randomness.
            wardrobe: clothes of each person.
            only_nearer: leave out neighbours that stand behind the target.
        """
        config = self.config
        world_to_camera = self.camera(rng)
        embrace = hugging.sample_embrace(rng) if rng.random() < config.hug else None
        if len(wardrobe) < 2:
            embrace = None
        yaw = self.yaw_deg(rng)
        target = self.person(
            rng,
            world_to_camera,
            wardrobe[0],
            attitude=embrace and embrace.target_attitude,
            yaw_deg=yaw,
            extreme=rng.random() < config.extreme_poses,
        )
        close = rng.random() < config.close_up
        distance = log_uniform(rng, config.close_distance_m if close else config.distance_m)
        reach = -float((target.vertices_m[:, 2] - target.joints_m[PELVIS, 2]).min())
        distance = max(distance, reach * 1.1 + NEAREST_M)
        sideways = rng.standard_normal(2).clip(-2.5, 2.5) * config.off_axis
        ray = np.array([*sideways, 1.0])
        translation = ray * distance - target.joints_m[PELVIS]
        box, edges = self._focus(rng, target, translation, close)
        extent = max(box[2] - box[0], box[3] - box[1])
        low, high = config.box_scale
        side = extent * (low + (high - low) * rng.random())
        shift = (2 * rng.random(2) - 1) * config.box_shift * side
        window = Window((box[:2] + box[2:]) / 2 + shift, side)
        people = [Placed(target, translation, wardrobe[0])]
        others = wardrobe[1:]
        if embrace is not None:
            people.append(
                self._embracing(rng, people[0], embrace, yaw, world_to_camera, others[0])
            )
            others = others[1:]
        for dressed in others:
            placed = self._neighbour(rng, people[0], world_to_camera, dressed, only_nearer)
            if placed is not None:
                people.append(placed)
        scale, offset = 2 / side, np.tile(window.centre, 2)
        return Crop(
            people, window, world_to_camera, (edges - offset) * scale, (box - offset) * scale
        )

    def _embracing(
        self,
        rng: np.random.Generator,
        target: Placed,
        embrace: hugging.Embrace,
        yaw_deg: float,
        world_to_camera: Float[np.ndarray, "3 3"],
        dressed: Dressed,
    ) -> Placed:
        """Whoever embraces the target: the closest fit of a few attempts."""
        heading = np.deg2rad(yaw_deg + embrace.direction_deg)
        direction = product(world_to_camera, np.array([np.sin(heading), 0, np.cos(heading)]))
        best, best_score = None, np.inf
        for _ in range(EMBRACE_TRIES):
            figure = self.person(
                rng,
                world_to_camera,
                dressed,
                attitude=embrace.attitude,
                yaw_deg=yaw_deg + embrace.yaw_deg,
            )
            lift = _lift_to_floor(figure, target.figure, world_to_camera[:, 1])
            distance, excess = hugging.closest_distance_m(
                target.figure.joints_m, figure.joints_m + lift, direction
            )
            score = distance + 5 * excess
            if score < best_score:
                place = target.translation_m + direction * distance + lift
                best, best_score = Placed(figure, place, dressed), score
        assert best is not None
        return best

    def _focus(
        self,
        rng: np.random.Generator,
        target: Figure,
        translation: Float[np.ndarray, "3"],
        close: bool,
    ) -> tuple[Float[np.ndarray, "4"], Float[np.ndarray, "4"]]:
        """The box to cut around and the picture's edges, on the image plane."""
        everything = _plane_box(target.vertices_m, translation, self.all_vertices)
        edges = np.array([-np.inf, -np.inf, np.inf, np.inf])
        outwards = np.array([-1.0, -1.0, 1.0, 1.0])
        extent = max(everything[2] - everything[0], everything[3] - everything[1])
        if close:
            names = list(FOCUS_PARTS)
            focus = self.config.focus or names[pick(rng, FOCUS_SHARES)]
            chosen = self.focus_vertices[names.index(focus)]
            box = _plane_box(target.vertices_m, translation, chosen)
            # Not always cut at a joint.
            box = box + (everything - box) * (0.25 * rng.random() ** 2)
            if rng.random() < self.config.picture_edge:
                beyond = (everything - box) * outwards > 0.03 * extent
                edges = np.where(beyond & (rng.random(4) < EDGE_SHARE), box, edges)
            return box, edges
        if rng.random() < 0.12:  # the whole body, near the picture's edge
            gap = outwards * extent * 0.15 * rng.random(4)
            edges = np.where(rng.random(4) < 0.4, everything + gap, edges)
        return everything, edges

    def _neighbour(
        self,
        rng: np.random.Generator,
        target: Placed,
        world_to_camera: Float[np.ndarray, "3 3"],
        dressed: Dressed,
        only_nearer: bool,
    ) -> Placed | None:
        """Somebody in front of, beside or behind the target, on the same floor."""
        kind = rng.random()
        if kind < 0.34:  # in front
            nearer = min(0.3 + 1.1 * rng.random(), 0.6 * target.depth_m)
            across, farther = rng.normal() * 0.4, -nearer
        elif kind < 0.7:  # beside
            side = 1 if rng.random() < 0.5 else -1
            across, farther = side * (0.3 + 0.5 * rng.random()), 0.6 * rng.random() - 0.3
        else:  # behind
            if only_nearer:
                return None
            farther = 0.4 + 5 * rng.random() ** 2
            across = rng.normal() * (0.4 + 0.25 * farther)
        figure = self.person(rng, world_to_camera, dressed)
        # World axes of the floor: x to the camera's right, -z away from the camera.
        offset = product(world_to_camera, np.array([across, 0.05 * rng.normal(), -farther]))
        lift = _lift_to_floor(figure, target.figure, world_to_camera[:, 1])
        return Placed(figure, target.translation_m + offset + lift, dressed)

    def scene(self, rng: np.random.Generator, wardrobe: list[Dressed]) -> Scene:
        """People of very different size."""
        config = self.config
        world_to_camera = self.camera(rng)
        side = 2 * np.tan(np.deg2rad(12 + 26 * rng.random()))
        window = Window(np.zeros(2), side)
        horizon = 0.15 + 0.5 * rng.random()
        camera_height = 0.55 + 0.7 * rng.random() ** 2 if rng.random() < 0.75 else None
        people: list[Placed] = []
        for dressed in wardrobe:
            if people and rng.random() < config.scene_groups:
                friend = people[int(rng.random() * len(people))]
                placed = self._neighbour(rng, friend, world_to_camera, dressed, False)
                if placed is not None and placed.depth_m > NEAREST_M:
                    people.append(placed)
                continue
            figure = self.person(rng, world_to_camera, dressed)
            height = log_uniform(rng, config.scene_height)
            reach = -float((figure.vertices_m[:, 2] - figure.joints_m[PELVIS, 2]).min())
            depth = max(STANDING_M / (height * side), reach * 1.1 + NEAREST_M)
            height = STANDING_M / (depth * side)
            x = (rng.random() - 0.5) * (0.95 + 0.25 * min(height, 1.0))
            if camera_height is not None:  # one floor for all, the pelvis 0.55 heights above it
                y = horizon - 0.5 + (camera_height - 0.55 + 0.04 * rng.normal()) * height
            else:
                y = (rng.random() - 0.5) * (1 + 0.3 * height)
            y = float(np.clip(y, -0.5 - 0.35 * height, 0.5 + 0.38 * height))
            pelvis = np.array([x * side, y * side, 1.0]) * depth
            people.append(Placed(figure, pelvis - figure.joints_m[PELVIS], dressed))
        return Scene(people, window, world_to_camera, horizon)


def _lift_to_floor(
    figure: Figure, other: Figure, up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """What puts two figures' lowest joints on one floor when their model origins coincide."""
    return up * (product(other.joints_m, up).min() - product(figure.joints_m, up).min())
