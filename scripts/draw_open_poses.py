"""Draws docs/images/poses.jpg: poses as the generator draws them, from the front and turned by 45.

    python scripts/draw_open_poses.py [--output docs/images/poses.jpg] [--split train] [--seed 0]

Rows 1-4: recorded poses; rows 5-6: of extreme clips; row 7: attitudes; row 8: those that are only
drawn if asked for.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from draw_open_body import draw_posed
from PIL import Image

from dimr.body.model import BodyModel
from dimr.data.synthetic.attitudes import EXTREME_ATTITUDES
from dimr.data.synthetic.pose_bank import PoseBank
from dimr.data.synthetic.poses import sample_pose

COLUMNS = 8
CELL_PX = (118, 146)
YAWS_DEG = (0, 45)
ASKED_FOR = ("hug_front", "hug_side", "carry", *EXTREME_ATTITUDES)


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images/poses.jpg"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    body = BodyModel.load()
    rest, parents = body.joints_template.numpy().astype(np.float64), np.array(body.parents)
    bank, rng = PoseBank.load(options.split), np.random.default_rng(options.seed)
    poses = [bank.sample(rng, rest, parents) for _ in range(4 * COLUMNS)]
    poses += [bank.sample(rng, rest, parents, extreme=True) for _ in range(2 * COLUMNS)]
    poses += [sample_pose(rng, rest, parents) for _ in range(COLUMNS)]
    poses += [
        sample_pose(rng, rest, parents, attitude_name=ASKED_FOR[place])
        for place in np.linspace(0, len(ASKED_FOR) - 1, COLUMNS).astype(int)
    ]
    cells = []
    for pose in poses:
        rotmats = torch.tensor(pose.rotmats[None], dtype=torch.float32)
        for yaw in YAWS_DEG:
            picture = Image.fromarray(draw_posed(body, rotmats, torch.zeros(10), yaw))
            cells.append(np.asarray(picture.resize(CELL_PX, Image.Resampling.BOX)))
    width = COLUMNS * len(YAWS_DEG)
    rows = [np.concatenate(cells[k : k + width], axis=1) for k in range(0, len(cells), width)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(options.output, quality=80, optimize=True)
    print(f"wrote {options.output}: {options.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
