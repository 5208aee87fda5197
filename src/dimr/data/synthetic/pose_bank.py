"""Recorded poses, varied: noise, mirroring, and one person's legs under another's trunk.

The bank that ships is `open_poses.npz`, see docs/poses.md; users' own motion gives others.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dimr.assets import asset_path
from dimr.body.keypoints import JOINT_MIRROR, JOINT_NAMES
from dimr.data.motion.bank import SPLITS, PoseRows, read_pose_bank
from dimr.data.synthetic import anatomy
from dimr.data.synthetic.anatomy import Pose
from dimr.data.synthetic.collision import MAX_COLLISION_M, deepest_collision_m

OPEN_POSES = "open_poses.npz"
RECOMBINED_SHARE = 0.35
RECOMBINED_TILT_DEG = 20.0
"""Legs and trunk are put together only if both pelves are tilted about alike."""
NUM_CANDIDATES = 8
MAX_TRIES = 6
DEFAULT_NOISE_DEG = 3.0
NOISE_DEG = {
    "pelvis": 2.5, "spine1": 2, "spine2": 2, "spine3": 2, "neck": 4, "head": 5, "L_hip": 3.5,
    "L_shoulder": 5, "L_elbow": 6, "L_wrist": 9, "L_hand": 7, "L_ankle": 4,
}  # fmt: skip
"""Spread of each joint's turn about any axis; both sides alike."""
MEAN_CURL_DEG, CURL_DEG, MOST_CURL_DEG = 16.0, 14.0, 60.0
"""Most sources hold no fingers: the hands' joints curl at random."""
_UPPER = [
    joint
    for joint, name in enumerate(JOINT_NAMES)
    if name.split("_")[-1] not in ("pelvis", "hip", "knee", "ankle", "foot")
]
_MIRROR_SIGNS = np.outer((-1, 1, 1), (-1, 1, 1)).astype(np.float64)
_MIRROR = list(JOINT_MIRROR)
_NOISE_RAD = np.deg2rad(
    [NOISE_DEG.get(name.replace("R_", "L_"), DEFAULT_NOISE_DEG) for name in JOINT_NAMES]
)[:, None]
_HANDS = [JOINT_NAMES.index("L_hand"), JOINT_NAMES.index("R_hand")]


class PoseBank:
    """One split of a bank.

    Args:
        rows: the bank's content.
        split: one of `SPLITS`.

    Raises:
        ValueError: if the split has no pose or there is no such split.
    """

    def __init__(self, rows: PoseRows, split: str) -> None:
        if split not in SPLITS:
            raise ValueError(f"split: got {split!r}, want one of {SPLITS}")
        mine = rows.clip_split[rows.clip] == SPLITS.index(split)
        if not mine.any():
            raise ValueError(f"split: the bank of poses has none for {split!r}")
        clip = rows.clip[mine]
        self.clip_names = sorted({rows.clip_names[number] for number in clip})
        vectors = rows.theta[mine].astype(np.float64).reshape(-1, 3)
        self.rotmats = Rotation.from_rotvec(vectors).as_matrix().reshape(-1, 24, 3, 3)
        self.kinds = [rows.clip_kinds[number] for number in clip]
        self.extreme = rows.clip_extreme[clip]
        self._up = np.ascontiguousarray(self.rotmats[:, 0, 1])  # the vertical, in the pelvis
        # A kind is drawn by the root of its number: rare ones often, though not as often.
        _, place, count = np.unique(self.kinds, return_inverse=True, return_counts=True)
        weights = 1 / np.sqrt(count[place])
        self._until = np.cumsum(weights)
        # Who jumps also stands: of the extreme clips, poses far from the mean come more often.
        strangeness = ((self.rotmats - self.rotmats.mean(0)) ** 2).sum((1, 2, 3))
        self._until_extreme = np.cumsum(weights * self.extreme * strangeness**2)

    @classmethod
    def load(cls, split: str, path: str | Path | None = None) -> "PoseBank":
        """Reads a bank.

        Args:
            split: one of `SPLITS`; they share no clip.
            path: a file that `write_pose_bank` wrote; None for the shipped one.

        Raises:
            ValueError: if the file is no bank or has nothing for the split.
        """
        return cls(read_pose_bank(asset_path(OPEN_POSES) if path is None else path), split)

    def __len__(self) -> int:
        return len(self.rotmats)

    def sample(
        self,
        rng: np.random.Generator,
        joints_rest_m: Float[np.ndarray, "24 3"],
        parents: np.ndarray,
        extreme: bool = False,
    ) -> Pose:
        """Draws a pose.

        Args:
            rng: source of all randomness.
            joints_rest_m: rest joints of the body, for the test for collisions.
            parents: parent of each joint.
            extreme: only from extreme clips.

        Raises:
            ValueError: if extreme poses are wanted but the split has none.
        """
        until = self._until_extreme if extreme else self._until
        if until[-1] <= 0:
            raise ValueError("extreme: got True, but the bank's split has no extreme clip")
        row = self._row(rng.random(), until)
        plain = combined = self.rotmats[row]
        if rng.random() < RECOMBINED_SHARE:
            combined = self._recombine(rng, row, until)
        if rng.random() < 0.5:
            plain = plain[_MIRROR] * _MIRROR_SIGNS
            combined = combined[_MIRROR] * _MIRROR_SIGNS
        noise = rng.standard_normal((MAX_TRIES, 24, 3)) * _NOISE_RAD
        curl = np.deg2rad(
            (MEAN_CURL_DEG + CURL_DEG * rng.standard_normal(2)).clip(0, MOST_CURL_DEG)
        )
        best, best_depth = None, np.inf
        for attempt in range(MAX_TRIES):
            # Calmer with every try, and at last what was recorded.
            varied = noise[attempt] * (1 - attempt / MAX_TRIES)
            varied[_HANDS, 2] += (-curl[0], curl[1])
            source = combined if attempt < MAX_TRIES // 2 else plain
            rotmats = anatomy.vary_rotmats(source, varied)
            anatomy.limit_rotmats(rotmats, anatomy.TURN_LIMITS_DEG)
            depth = deepest_collision_m(*anatomy.pose_skeleton(rotmats, joints_rest_m, parents))
            if depth < best_depth:
                best, best_depth = rotmats, depth
            if depth <= MAX_COLLISION_M:
                break
        assert best is not None
        return Pose(best, self.kinds[row])

    def _row(self, share: float, until: Float[np.ndarray, "N"]) -> int:
        return int(min(np.searchsorted(until, share * until[-1], "right"), len(until) - 1))

    def _recombine(
        self, rng: np.random.Generator, row: int, until: Float[np.ndarray, "N"]
    ) -> Float[np.ndarray, "24 3 3"]:
        """Root and legs of a row, trunk, head and arms of another whose pelvis is tilted alike."""
        for share in rng.random(NUM_CANDIDATES):
            other = self._row(share, until)
            if (self._up[row] * self._up[other]).sum() > np.cos(np.deg2rad(RECOMBINED_TILT_DEG)):
                combined = self.rotmats[row].copy()
                combined[_UPPER] = self.rotmats[other][_UPPER]
                return combined
        return self.rotmats[row]
