"""Where the files of the paper lie below one folder, and how each data set is opened.

`dimr doctor --data ROOT` checks this list, `dimr data check` reads what is there, and
docs/licensed.md says step by step how to get there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dimr.data.real.doh import read_doh
from dimr.data.real.eft import read_eft
from dimr.data.real.h36m import read_h36m
from dimr.data.real.human_data import read_human_data
from dimr.data.real.muco import read_muco
from dimr.data.real.ochuman import read_ochuman
from dimr.data.real.pw3d import read_pw3d
from dimr.data.real.record import InstanceMask, Record, Records, naming
from dimr.data.real.spin import read_spin


@dataclass(frozen=True, slots=True)
class NeededFile:
    """A file or folder that does not ship with the package."""

    place: str
    """Relative to the root."""
    purpose: str
    source: str
    """The project that gives it to those who register, and its page."""


BODY_NEUTRAL, BODY_MALE, BODY_FEMALE = (
    f"body/SMPL_{gender}.pkl" for gender in ("NEUTRAL", "MALE", "FEMALE")
)
H36M_REGRESSOR = "body/J_regressor_h36m.npy"
MEAN_POSE = "body/smpl_mean_params.npz"
UV_MAP = "body/smpl_uv.npz"
DENSEPOSE_MAT = "body/UV_Processed.mat"
HRNET = "encoder/pose_hrnet_w32_256x192.pth"
VOC = "voc/VOC2012"

_SMPL = "SMPL, smpl.is.tue.mpg.de; the neutral one: smplify.is.tue.mpg.de"
_SPIN = "SPIN's data archive, github.com/nkolot/SPIN"
_H36M = "Human3.6M, vision.imar.ro/human3.6m"
_MUCO = "MuCo-3DHP, vcai.mpi-inf.mpg.de/projects/SingleShotMultiPerson"
_COCO = "COCO, cocodataset.org"
_3DPW = "3DPW, virtualhumans.mpi-inf.mpg.de/3DPW"
_OCHUMAN = "OCHuman, github.com/liruilong940607/OCHumanApi"
FILES = tuple(
    NeededFile(*row)
    for row in (
        (BODY_NEUTRAL, "the paper's body", _SMPL),
        (BODY_MALE, "3DPW's ground truth", _SMPL),
        (BODY_FEMALE, "3DPW's ground truth", _SMPL),
        (H36M_REGRESSOR, "the 14 joints of every table", _SPIN),
        ("body/J_regressor_extra.npy", "SPIN's 9 further joints; no table needs them", _SPIN),
        (MEAN_POSE, "where the regressor starts", _SPIN),
        (UV_MAP, "the continuous UV map", "DecoMR, github.com/zengwang430521/DecoMR"),
        (
            DENSEPOSE_MAT,
            "DensePose's charts on SMPL",
            "DensePose, densepose.org (UV data)",
        ),
        (
            HRNET,
            "the encoder's start",
            "HRNet, github.com/leoxiaobin/deep-high-resolution-net.pytorch (model zoo)",
        ),
        (VOC, "objects for synthetic occlusion", "Pascal VOC 2012, host.robots.ox.ac.uk/pascal"),
        ("h36m/h36m_mosh_train.npz", "Human3.6M: windows and MoSh poses", _H36M),
        ("h36m/images", "Human3.6M: pictures", _H36M),
        ("muco/MuCo-3DHP.json", "MuCo: annotations", _MUCO),
        (
            "muco/smpl_param.json",
            "MuCo: SMPL fits",
            "3DCrowdNet, github.com/hongsukchoi/3DCrowdNet_RELEASE",
        ),
        ("muco/images", "MuCo: pictures", _MUCO),
        (
            "coco/COCO2014-All-ver01.json",
            "COCO: SMPL fits",
            "EFT, github.com/facebookresearch/eft",
        ),
        ("coco/train2014", "COCO: pictures", _COCO),
        ("coco/instances_train2014.json", "COCO: masks", _COCO),
        ("3dpw/sequenceFiles", "3DPW: annotations", _3DPW),
        ("3dpw/imageFiles", "3DPW: pictures", _3DPW),
        ("3doh/testset/annots.json", "3DOH50K", "OOH, yangangwang.com (3DOH50K)"),
        ("ochuman/ochuman.json", "OCHuman: annotations", _OCHUMAN),
        ("ochuman/images", "OCHuman: pictures", _OCHUMAN),
    )
)


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None


def _h36m(root: Path) -> Records:
    complete = root / "h36m_mosh_train.npz"
    path = complete if complete.is_file() else root / "h36m_train.npz"
    return read_h36m(path, root / "images", _if_there(root / "mosh"))


def _muco(root: Path) -> Records:
    return read_muco(root / "MuCo-3DHP.json", root / "smpl_param.json", root / "images")


def _eft(root: Path) -> Records:
    fits = root / "COCO2014-All-ver01.json"
    masks = _if_there(root / "instances_train2014.json")
    return read_eft(fits, root / "train2014", masks)


def _npz_of(root: Path) -> Path:
    """The file itself, or the only .npz of a folder."""
    if root.is_file():
        return root
    found = sorted(root.glob("*.npz"))
    if len(found) != 1:
        raise ValueError(f"{root}: holds {len(found)} .npz files, want one")
    return found[0]


def _spin(root: Path) -> Records:
    path = _npz_of(root)
    return read_spin(path, path.parent / "images")


def _human_data(root: Path) -> Records:
    path = _npz_of(root)
    return read_human_data(path, path.parent / "images")


DATASETS: dict[str, tuple[str, Callable[[Path], Records]]] = {
    "h36m": ("h36m", _h36m),
    "muco": ("muco", _muco),
    "eft": ("coco", _eft),
    "3dpw": ("3dpw", read_pw3d),
    "3doh": ("3doh", lambda root: read_doh(root / "testset" / "annots.json")),
    "3doh_train": ("3doh", lambda root: read_doh(root / "trainset" / "annots.json")),
    "ochuman": ("ochuman", lambda root: read_ochuman(root / "ochuman.json", root / "images")),
    "spin": ("spin", _spin),
    "human_data": ("human_data", _human_data),
}
"""Name -> (its folder below the root, reader of that folder)."""


def dataset_folder(name: str, root: Path) -> Path:
    """Where a data set lies below the root."""
    return root / DATASETS[name][0]


def open_dataset(name: str, folder: Path) -> Records:
    """Reads a data set from its own folder.

    Raises:
        ValueError: for an unknown name, or files that cannot be used.
        FileNotFoundError: if its annotations are missing.
    """
    if name not in DATASETS:
        raise ValueError(f"dataset: got {name!r}, want one of {', '.join(DATASETS)}")
    with naming(folder):
        return DATASETS[name][1](folder)


def with_iuv(record: Record, root: Path) -> Record:
    """The record with the user's file ROOT/<data set>/iuv/<key>.npz as its IUV.

    A "/" in the key is a folder: 3dpw/iuv/downtown_bus_00/01620/0.npz.
    """
    folder = dataset_folder(record.dataset, root) / "iuv"
    return replace(record, iuv=folder / f"{record.key}.npz")


def with_mask(record: Record, root: Path) -> Record:
    """The record with ROOT/<data set>/masks/<key>.png as its mask, where it has none of its own.

    3DPW has no masks; the paper made them with Mask R-CNN.
    """
    path = dataset_folder(record.dataset, root) / "masks" / f"{record.key}.png"
    if record.mask is not None or not path.is_file():
        return record
    return replace(record, mask=InstanceMask("picture", path))
