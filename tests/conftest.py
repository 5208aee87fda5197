"""One thread a process: the suite runs in parallel processes (`pytest -n`)."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

torch.set_num_threads(1)
