"""What a wardrobe file measures: counts, anchors, speed."""

import time
from pathlib import Path

import numpy as np
import torch

from dimr.body.camera import NEAR_M
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.body.skinning import forward_kinematics, skin_vertices_numba
from dimr.data.synthetic.figure import _shape
from dimr.data.synthetic.outfit import Dresser
from dimr.data.synthetic.staging import to_pixels
from dimr.data.synthetic.wardrobe import SPLITS, Wardrobe
from dimr.surface.atlas import load_atlas
from dimr.surface.raster import z_draw

NUM_OUTFITS = 60
PICTURE_PX = 192


def measure(path: Path) -> dict[str, float]:
    """Numbers of a wardrobe file by name."""
    body, atlas = BodyModel.load(), load_atlas()
    measured: dict[str, float] = {"file size (MB)": path.stat().st_size / 1e6}
    times = []
    for split in SPLITS:
        wardrobe = Wardrobe.load(split, path)
        dresser = Dresser(body, atlas)
        for kind in ("suit", "shoes", "hat", "hair"):
            count = sum(garment.kind == kind for garment in wardrobe.garments)
            measured[f"{split}: {kind}"] = count
        for garment in wardrobe.garments:
            outfit = dresser.dress([garment])
            cloth = outfit.nearest_corner[outfit.num_body_faces :]
            away = garment.template_m - np.einsum(
                "vki,vk->vi",
                body.v_template.numpy()[atlas.faces[garment.anchor_face]],
                garment.anchor_bary,
            )
            name = f"{split} {garment.name}"
            measured[f"{name}: triangles"] = len(garment.faces)
            measured[f"{name}: triangles that take the nearest corner (%)"] = 100 * cloth.mean()
            measured[f"{name}: distance to the anchor, median (mm)"] = 1e3 * float(
                np.median(np.linalg.norm(away, axis=1))
            )
            measured[f"{name}: skin triangles left out"] = len(atlas.faces) - outfit.num_body_faces
        if split == "train":
            measured["textures"] = len(wardrobe.textures)
            rng = np.random.default_rng(0)
            outfits = [wardrobe.sample_garments(rng) for _ in range(NUM_OUTFITS)]
            outfits = [garments for garments in outfits if len(garments) >= 3]
            faces = []
            for garments in outfits:
                start = time.perf_counter()
                outfit = dresser.dress(garments)
                times.append(time.perf_counter() - start)
                faces.append(len(outfit.faces))
            measured["outfits of 3 or more: garments, mean"] = np.mean(list(map(len, outfits)))
            measured["outfits of 3 or more: triangles, mean"] = float(np.mean(faces))
            measured["joining an outfit, median (ms)"] = 1e3 * float(np.median(times))
            upright = torch.tensor([np.pi, 0.0, 0.0])
            rotmats = torch.eye(3).repeat(1, 24, 1, 1)
            rotmats[0, 0] = axis_angle_to_rotmat(upright)
            betas = np.zeros(10, np.float32)
            _, transforms = forward_kinematics(
                rotmats, body.joints_rest(torch.zeros(1, 10)), body.parents
            )
            buffers = (
                np.empty((PICTURE_PX, PICTURE_PX), np.float32),
                np.empty((PICTURE_PX, PICTURE_PX), np.int32),
                np.empty((PICTURE_PX, PICTURE_PX, 3), np.float32),
                np.empty((PICTURE_PX, PICTURE_PX), np.int32),
            )
            skinning, drawing = [], []
            for garments in outfits * 3:
                outfit = dresser.dress(garments)
                bare = np.zeros_like(outfit.template_m)
                start = time.perf_counter()
                shaped = _shape(outfit.template_m, outfit.shapedirs, betas, bare)
                posed = skin_vertices_numba(
                    shaped, transforms[0].numpy(), outfit.weight_idx, outfit.weight_val
                )
                middle = time.perf_counter()
                points = to_pixels(posed, np.array([0.0, 0.0, 3.0]), 0.0, 0.0, 0.7, PICTURE_PX)
                buffers[0].fill(np.inf)
                z_draw(points, outfit.faces, *buffers, 0, True, False, NEAR_M)
                skinning.append(middle - start)
                drawing.append(time.perf_counter() - middle)
            measured["shaping and skinning, median (ms)"] = 1e3 * float(np.median(skinning))
            measured["z-drawing at 192 px, median (ms)"] = 1e3 * float(np.median(drawing))
            measured["skinning and z-drawing, least (ms)"] = 1e3 * float(
                np.min(np.add(skinning, drawing))
            )
    return measured
