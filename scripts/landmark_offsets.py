"""Measures where the landmarks of the original BlazePose network lie on a body.

    python scripts/landmark_offsets.py [--people 60]

For the tables of src/dimr/body/landmarks.py: people of SynthOcc's subsets without occlusion, drawn
from the split "train", are looked at in the crops of their true masks. For each landmark it prints
the offset from its joint, in the axes of the rest pose, that explains the landmark's places best
(robust least squares in two dimensions), and the median distance of the places that are seen
without and with it. The tables have the mean of left and right, mirrored, to half a centimetre.
About a minute.
"""

import argparse
from typing import NamedTuple

import numpy as np
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from dimr.body.camera import fit_weak, full_to_norm
from dimr.body.keypoints import JOINT_NAMES
from dimr.body.landmarks import ALL_ON_BODY
from dimr.body.model import BodyModel
from dimr.body.skinning import forward_kinematics
from dimr.correspondence.landmarks import LandmarkNet, look_at_pose
from dimr.correspondence.people import mask_to_detection
from dimr.data.synthetic.samples import CropSample
from dimr.data.synthetic.synthocc import SynthOcc
from dimr.image.crop import box_to_crop, crop_picture, norm_to_crop, picture_to_tensor
from dimr.surface.atlas import load_atlas
from dimr.surface.iuv import resize_iuv

SUBSETS = ("clean", "dark", "loose")
SEEN = 0.8
"""Visibility from which a landmark is measured."""
OUTLIER_M = 0.05
ROUNDS = 30


class Place(NamedTuple):
    """A landmark that is seen."""

    gap_norm: np.ndarray
    """(2,): from the joint."""
    by_offset: np.ndarray
    """(2, 3): derivative of the place by the offset."""
    scale: float
    """Crop-normalised length of a metre."""


def places(sample: CropSample, network: LandmarkNet, body: BodyModel) -> dict[int, Place]:
    """Landmarks of one person whom the network is sure of."""
    side = sample.image.shape[0]
    person = mask_to_detection(1.0, resize_iuv(sample.iuv, (side, side)).mask)
    crop = box_to_crop(person.box_px, 192, 1.25)
    image = picture_to_tensor(crop_picture(sample.image, crop))
    (landmarks,) = look_at_pose(network, image, torch.zeros(1, 2, 96, 96))
    joints_px = norm_to_crop(sample.keypoints_norm.astype(np.float64), side)
    joints_norm = full_to_norm(crop, joints_px)
    scale = float(fit_weak(sample.joints_m, joints_norm)[0])
    rest = body.joints_rest(torch.from_numpy(sample.betas)[None])
    _, bones = forward_kinematics(torch.from_numpy(sample.rotmats)[None], rest, body.parents)
    found = {}
    for landmark, (joint, bone, _) in ALL_ON_BODY.items():
        if landmarks[landmark, 3] < SEEN:
            continue
        gap = landmarks[landmark, :2].numpy() - joints_norm[JOINT_NAMES.index(joint)]
        turn = bones[0, JOINT_NAMES.index(bone), :2, :3].numpy().astype(np.float64)
        found[landmark] = Place(gap, scale * turn, scale)
    return found


def solve_offset(seen: list[Place]) -> tuple[np.ndarray, float, float]:
    """Offset in metres, and the median distance of places without and with it."""
    gap, by_offset, scale = (np.array([each[k] for each in seen]) for k in range(3))
    gap_m, turn = gap / scale[:, None], by_offset / scale[:, None, None]
    offset = np.zeros(3)
    for _ in range(ROUNDS):
        residual = gap_m - turn @ offset
        weight = 1 / (1 + (residual**2).sum(1) / OUTLIER_M**2) ** 2
        curvature = np.einsum("n,nij,nik->jk", weight, turn, turn) + 1e-3 * np.eye(3)
        offset = np.linalg.solve(curvature, np.einsum("n,nij,ni->j", weight, turn, gap_m))
    before, after = (
        np.median(np.linalg.norm(each, axis=1)) for each in (gap_m, gap_m - turn @ offset)
    )
    return offset, float(before), float(after)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=60, help="of each subset")
    options = parser.parse_args()
    torch.set_num_threads(1)
    body, network = BodyModel.load(), LandmarkNet.pretrained().eval()
    people = SynthOcc(body, load_atlas(), "train")
    with torch.inference_mode():
        found = [
            places(people.crop(subset, number), network, body)
            for subset in SUBSETS
            for number in range(options.people)
        ]
    table = Table("landmark", "joint", "bone", "n", "x", "y", "z", "before", "after", box=MARKDOWN)
    for landmark, (joint, bone, _) in ALL_ON_BODY.items():
        seen = [each[landmark] for each in found if landmark in each]
        offset, before, after = solve_offset(seen)
        cells = (f"{100 * each:.1f}" for each in (*offset, before, after))
        table.add_row(str(landmark), joint, bone, str(len(seen)), *cells)
    console = Console(width=100)
    console.print(table)
    console.print("centimetres")


if __name__ == "__main__":
    main()
