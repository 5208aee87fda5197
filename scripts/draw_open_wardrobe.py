"""Draws docs/images/wardrobe.jpg: every garment of the wardrobe on the open body.

    python scripts/draw_open_wardrobe.py [--wardrobe FILE] [--output docs/images/wardrobe.jpg]

One row a garment: T-pose from the front and from behind, four poses from the front and from
behind, walking and T-posed at large betas. `--outfits N` draws N sampled outfits of each split
instead, dyed; `--names a,b` a choice of garments.
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
from dimr.body.skinning import forward_kinematics, skin_vertices_numba
from dimr.data.synthetic.outfit import Dresser, Outfit
from dimr.data.synthetic.wardrobe import SPLITS, Garment, Wardrobe, dye
from dimr.surface.atlas import load_atlas
from dimr.surface.raster import ZBuffer
from dimr.surface.render import project_to_pixels, vertex_normals

DISTANCE_M = 7.0
VIEW_M = 2.35
"""Height of what a cell shows."""
T_POSE: dict[str, tuple[float, float, float]] = {}
SQUAT = {
    "L_hip": (-110, 0, 20), "R_hip": (-110, 0, -20), "L_knee": (120, 0, 0), "R_knee": (120, 0, 0),
    "spine1": (25, 0, 0), "L_shoulder": (0, -70, -20), "R_shoulder": (0, 70, 20),
    "L_ankle": (-20, 0, 0), "R_ankle": (-20, 0, 0),
}  # fmt: skip
ARMS_UP = {
    "L_shoulder": (0, 0, 80), "R_shoulder": (0, 0, -80), "L_collar": (0, 0, 12),
    "R_collar": (0, 0, -12), "spine1": (0, 20, 0), "head": (-20, 25, 0), "L_hip": (0, 0, 30),
}  # fmt: skip
WALK = {
    "L_hip": (-40, 0, 0), "L_knee": (20, 0, 0), "R_hip": (28, 0, 0), "R_knee": (45, 0, 0),
    "L_shoulder": (40, 0, -75), "R_shoulder": (-40, 0, 75), "L_elbow": (0, -30, 0),
    "R_elbow": (0, 60, 0),
}  # fmt: skip
SIT = {
    "L_hip": (-90, -12, 0), "R_hip": (-90, 12, 0), "L_knee": (90, 0, 0), "R_knee": (90, 0, 0),
    "L_shoulder": (0, -40, -65), "R_shoulder": (0, 40, 65), "L_elbow": (0, -80, 0),
    "R_elbow": (0, 80, 0), "neck": (20, 0, 0),
}  # fmt: skip
LIGHT = np.array([-0.4, -0.6, -0.7]) / np.linalg.norm([0.4, 0.6, 0.7])
SKIN = (205, 165, 140)


def pose(
    body: BodyModel, outfit: Outfit, degrees: dict, betas: np.ndarray, yaw: float
) -> np.ndarray:
    """Vertices (V, 3) of a dressed body in camera axes, float32."""
    theta = torch.zeros(1, 24, 3)
    for name, angles in degrees.items():
        theta[0, JOINT_NAMES.index(name)] = torch.deg2rad(torch.tensor(angles).float())
    rotmats = axis_angle_to_rotmat(theta)
    turned = axis_angle_to_rotmat(torch.tensor([0.0, np.deg2rad(yaw), 0.0]).float())
    rotmats[0, 0] = axis_angle_to_rotmat(torch.tensor([np.pi, 0.0, 0.0]).float()) @ turned
    rest = body.joints_rest(torch.from_numpy(betas)[None].float())
    _, transforms = forward_kinematics(rotmats, rest, body.parents)
    shaped = outfit.template_m + outfit.shapedirs @ betas.astype(np.float32)
    posed = skin_vertices_numba(
        shaped, transforms[0].numpy(), outfit.weight_idx, outfit.weight_val
    )
    return posed + np.array([0, -0.03, DISTANCE_M], np.float32)


def paint(
    vertices: np.ndarray, outfit: Outfit, wardrobe: Wardrobe, dyes: list, size: tuple[int, int],
    zoom: float = 1.0, look_up_m: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """RGB uint8 picture; hair is drawn last, and only where its front layer is opaque."""
    height, width = size
    camera = PerspectiveCamera(
        focal_px=zoom * height * DISTANCE_M / VIEW_M,
        principal_px=(width / 2 - 0.5, height / 2 - 0.5),
    )
    points = project_to_pixels(vertices + np.float32([0, look_up_m, 0]), camera, size)
    has_holes = (wardrobe.textures[..., 3] < 128).any((1, 2))
    see_through = (outfit.texture_of_face >= 0) & has_holes[outfit.texture_of_face]
    picture = np.full((height, width, 3), 255, np.uint8)
    depth = np.full((height, width), np.inf, np.float32)
    normals = vertex_normals(vertices, outfit.faces)
    for layer in (~see_through, see_through):
        chosen = np.flatnonzero(layer)
        if not len(chosen):
            continue
        buffer = ZBuffer.empty(size)
        body_faces = outfit.faces[chosen]
        buffer.draw(points, body_faces, perspective=True, cull=False)
        rows, columns = np.nonzero((buffer.face >= 0) & (buffer.depth < depth))
        face = chosen[buffer.face[rows, columns]]
        bary = buffer.bary[rows, columns]
        texture = outfit.texture_of_face[face]
        uv = np.einsum("nki,nk->ni", outfit.texture_uv[face], bary)
        texel = np.clip((uv * wardrobe.textures.shape[1]).astype(int), 0, 255)
        colour = wardrobe.textures[texture, texel[:, 1], texel[:, 0]].astype(np.float32)
        if dyes:
            gain, offset = np.stack(dyes)[outfit.garment_of_face[face]].transpose(1, 0, 2)
            colour[:, :3] = colour[:, :3] * gain + offset
        bare = texture < 0
        colour[bare] = (*SKIN, 255)
        normal = np.einsum("nki,nk->ni", normals[outfit.faces[face]], bary)
        length = np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
        shade = 0.45 + 0.55 * np.abs(normal @ LIGHT) / length
        opaque = colour[:, 3] >= 128
        rows, columns = rows[opaque], columns[opaque]
        picture[rows, columns] = (colour[opaque, :3] * shade[opaque, None]).clip(0, 255)
        depth[rows, columns] = buffer.depth[rows, columns]
    return picture


def row(body, dresser, wardrobe, garments: list[Garment], dyes: list, size) -> np.ndarray:
    """One row of the sheet, at half of the drawn resolution."""
    outfit = dresser.dress(garments)
    plain = np.zeros(10)
    head = all(garment.kind in ("hair", "hat") for garment in garments)
    view = {"zoom": 3.6, "look_up_m": 0.62} if head else {}
    poses = (T_POSE, ARMS_UP, WALK) if head else (T_POSE, SQUAT, ARMS_UP, WALK, SIT)
    cells = [(degrees, plain, yaw) for degrees in poses for yaw in (-25, 155)]
    for sign in (-2.0, 2.0):
        cells.append((WALK, np.array([0.0, sign] + [0.0] * 8), 20))
        cells.append((T_POSE, np.array([sign, -sign, sign] + [0.0] * 7), 0))
    if head:
        cells += [({"head": (25, 0, 0)}, plain, yaw) for yaw in (60, 110)]
        cells += [({"head": (-20, 30, 15)}, plain, yaw) for yaw in (0, 180)]
    height, width = size
    pictures = [
        paint(pose(body, outfit, *cell), outfit, wardrobe, dyes, (2 * height, 2 * width), **view)
        for cell in cells
    ]
    return np.concatenate(pictures, axis=1)


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wardrobe", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/images/wardrobe.jpg"))
    parser.add_argument("--outfits", type=int, default=0)
    parser.add_argument("--names", default="")
    parser.add_argument("--height", type=int, default=96)
    options = parser.parse_args()
    body, atlas = BodyModel.load(), load_atlas()
    size = (options.height, int(options.height * 0.9))
    rng = np.random.default_rng(0)
    rows = []
    for split in SPLITS:
        wardrobe = Wardrobe.load(split, options.wardrobe)
        dresser = Dresser(body, atlas)
        if options.outfits:
            choices = [wardrobe.sample_garments(rng) for _ in range(options.outfits)]
        else:
            wanted = options.names.split(",") if options.names else None
            choices = [[g] for g in wardrobe.garments if wanted is None or g.name in wanted]
        for garments in choices:
            dyes = [dye(rng, garment) for garment in garments] if options.outfits else []
            if not garments:
                continue
            rows.append(row(body, dresser, wardrobe, garments, dyes, size))
    sheet = Image.fromarray(np.concatenate(rows))
    sheet = sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.BOX)
    sheet.save(options.output, quality=80, optimize=True)
    print(f"wrote {options.output}: {options.output.stat().st_size / 1e3:.0f} kB, {sheet.size}")


if __name__ == "__main__":
    main()
