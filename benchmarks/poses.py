"""How long a pose takes: recorded ones and attitudes, on one core.

    python benchmarks/poses.py

Prints milliseconds a pose, collision tests and repeated tries included.
"""

import time

import numpy as np

from dimr.body.model import BodyModel
from dimr.data.synthetic.pose_bank import PoseBank
from dimr.data.synthetic.poses import sample_pose

COUNT = 5000


def main() -> None:
    """Prints milliseconds a pose."""
    body = BodyModel.load()
    rest, parents = body.joints_template.numpy().astype(np.float64), np.array(body.parents)
    bank, rng = PoseBank.load("train"), np.random.default_rng(0)
    for title, share in (("recorded", 1.0), ("attitude", 0.0)):
        sample_pose(rng, rest, parents, bank, share)  # compiles
        start = time.perf_counter()
        for _ in range(COUNT):
            sample_pose(rng, rest, parents, bank, share)
        print(f"{title}: {1e3 * (time.perf_counter() - start) / COUNT:.3f} ms")


if __name__ == "__main__":
    main()
