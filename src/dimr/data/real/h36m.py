"""Human3.6M: SPIN's .npz (with or without MoSh poses), and MoSh pickles.

`h36m_mosh_train.npz` holds everything. Where only `h36m_train.npz` (windows and 3D joints) is at
hand, poses come from `<action>_cam<0-3>_aligned.pkl` of the MoSh fits: `new_poses` (T, 72) and
`betas`, whose row (frame // 5) belongs to the picture S%d_Action.camera_%06d.jpg of the frame.
"""

import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from dimr.body.smpl_file import read_pickle
from dimr.data.real.record import Records, checked_floats, turn_root, wanted_keys
from dimr.data.real.spin import read_spin

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
"""In the order of MoSh's cam0 .. cam3; the last is Protocol 2's."""
FRAMES_PER_POSE = 5
ROT_X_PI = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
"""MoSh's root to camera axes: R_root Rot_x(pi)."""
_PICTURE = re.compile(r"S(\d+)_(.+)\.(\d{8})_(\d{6})\.jpe?g$")


def read_h36m(path: Path, pictures: Path, mosh: Path | None = None) -> Records:
    """Reads Human3.6M.

    Args:
        path: an .npz of SPIN's kind.
        pictures: the folder that `imgname` is relative to.
        mosh: a folder S<subject>/<action>_cam<0-3>_aligned.pkl, for an .npz without poses.
    """
    return read_spin(path, pictures, "h36m", None if mosh is None else MoshPoses(mosh))


class MoshPoses:
    """Picture name -> theta and betas of the MoSh fit of its frame."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ValueError(f"mosh: no folder {folder}")
        self._folder = folder
        self._fit = lru_cache(maxsize=32)(self._read)

    def __call__(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The pose of a picture, None where the subject's action has no fit.

        Raises:
            ValueError: for a name of another pattern, or a frame beyond the end of the fit.
        """
        found = _PICTURE.search(name)
        if not found or found[3] not in CAMERAS:
            raise ValueError(f"{name!r}: want S<n>_<action>.<camera>_<frame>.jpg")
        subject, action, camera, frame = found.groups()
        fit = self._fit(int(subject), action, CAMERAS.index(camera))
        if fit is None:
            return None
        poses, betas = fit
        row = int(frame) // FRAMES_PER_POSE
        if row >= len(poses):
            raise ValueError(
                f"{name!r}: the MoSh fit ends at frame {FRAMES_PER_POSE * len(poses)}"
            )
        return turn_root(checked_floats("new_poses", poses[row], (24, 3)), after=ROT_X_PI), betas

    def _read(self, subject: int, action: str, camera: int):
        path = self._folder / f"S{subject}" / f"{action}_cam{camera}_aligned.pkl"
        if not path.is_file():
            return None
        content = wanted_keys(read_pickle(path), ("new_poses", "betas"), path)
        poses = np.asarray(content["new_poses"])
        if poses.ndim != 2 or poses.shape[1] != 72:
            raise ValueError(f"{path}: new_poses has shape {poses.shape}, want (T, 72)")
        betas = np.asarray(content["betas"]).reshape(-1)[:10]
        return poses, checked_floats("betas", betas, (10,))
