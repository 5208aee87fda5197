"""Draws docs/images/open_body.png: shapes and poses of the open body.

    python scripts/draw_open_body.py [--output docs/images/open_body.png]

First row: one shape component after the other at -2.5 and +2.5. Other rows: poses, once from the
front and once from behind, the joints' names and angles being POSES.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dimr.body.camera import PerspectiveCamera
from dimr.body.keypoints import JOINT_NAMES
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.surface.render import rasterize_mesh, shade

WIDTH, HEIGHT = 210, 260
DISTANCE_M = 7.0
CAMERA = PerspectiveCamera(
    focal_px=1490.0, principal_px=(WIDTH - 0.5, HEIGHT - 0.5)
)  # drawn at twice the size
CENTRE_HEIGHT_M = 0.02
"""How far below the optical axis the pelvis is drawn."""
NUM_SHOWN = 4
BETA = 2.5
POSES = (
    {"L_shoulder": (0, 0, -75), "R_shoulder": (0, 0, 75)},
    {"L_shoulder": (0, 0, 70), "R_shoulder": (0, 0, -70), "L_collar": (0, 0, 10)},
    {"L_shoulder": (0, -80, 0), "L_elbow": (0, -90, 0), "R_shoulder": (0, 0, 60)},
    {"L_hip": (-80, 0, 0), "L_knee": (100, 0, 0), "R_hip": (25, 0, 0), "R_knee": (35, 0, 0)},
    {"L_hip": (-95, -20, 0), "R_hip": (-95, 20, 0), "L_knee": (100, 0, 0), "R_knee": (100, 0, 0)},
    {"spine1": (30, 0, 0), "spine2": (20, 0, 0), "spine3": (15, 0, 0), "neck": (20, 0, 0)},
    {"spine1": (0, 25, 0), "spine3": (0, 25, 0), "head": (0, 40, 0), "R_elbow": (0, 100, 0)},
    {"L_wrist": (0, 0, -60), "R_wrist": (50, 0, 0), "L_ankle": (25, 0, 0), "R_hip": (0, 0, -40)},
)
ALBEDO = (0.80, 0.74, 0.66)


def draw(body: BodyModel, degrees: dict, betas: torch.Tensor, yaw: float) -> np.ndarray:
    """One cell: RGB uint8 (HEIGHT, WIDTH, 3) on white."""
    theta = torch.zeros(1, 24, 3)
    for name, angles in degrees.items():
        theta[0, JOINT_NAMES.index(name)] = torch.deg2rad(torch.tensor(angles).float())
    return draw_posed(body, axis_angle_to_rotmat(theta), betas, yaw)


def draw_posed(
    body: BodyModel, rotmats: torch.Tensor, betas: torch.Tensor, yaw: float
) -> np.ndarray:
    """One cell of rotations (1, 24, 3, 3) in a y-up world, seen after a turn by `yaw` degrees."""
    vertices = body(rotmats, betas[None]).vertices_m
    turned = axis_angle_to_rotmat(torch.tensor([0.0, np.deg2rad(yaw), 0.0]).float())
    upright = axis_angle_to_rotmat(torch.tensor([np.pi, 0.0, 0.0]).float())
    offset = torch.tensor([0.0, CENTRE_HEIGHT_M, DISTANCE_M])
    seen = (vertices[0] @ (upright @ turned).T + offset).numpy().astype(np.float32)
    faces = body.faces.numpy().astype(np.int32)
    raster = rasterize_mesh(seen, faces, CAMERA, (2 * HEIGHT, 2 * WIDTH))
    picture, mask = shade(seen, faces, raster, albedo=ALBEDO)
    picture[~mask] = 255
    return picture


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images/open_body.png"))
    options = parser.parse_args()
    body = BodyModel.load()
    shapes = [
        draw(body, POSES[0], sign * BETA * torch.eye(10)[component], yaw=0)
        for component in range(NUM_SHOWN)
        for sign in (-1, 1)
    ]
    rows = [shapes]
    rows += [[draw(body, pose, torch.zeros(10), yaw) for pose in POSES] for yaw in (-25, 155)]
    sheet = Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows]))
    sheet = sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.BOX)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(64, dither=Image.Dither.NONE).save(options.output, optimize=True)
    print(f"wrote {options.output}: {options.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
