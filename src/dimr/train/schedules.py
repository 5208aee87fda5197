"""How long and how fast each recipe of `dimr.train.recipes` learns."""

from typing import Any

SCHEDULES: dict[str, dict[str, Any]] = {
    "stage1": {
        "steps": 4400,
        "batch_size": 16,
        "learning_rate": 3e-3,
        "clip_norm": 5.0,
        "ema_decay": 0.997,
        "validate_every": 400,
    },
    "stage1_decoder": {
        "steps": 2400,
        "batch_size": 16,
        "learning_rate": 2e-3,
        "clip_norm": 5.0,
        "ema_decay": 0.995,
        "validate_every": 250,
    },
    "stage1_photos": {
        "steps": 1200,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "clip_norm": 5.0,
        "ema_decay": 0.995,
        "validate_every": 300,
    },
    "outlines": {
        "steps": 3000,
        "batch_size": 10,
        "learning_rate": 2e-3,
        "validate_every": 250,
    },
    "landmarks": {
        "steps": 1700,
        "batch_size": 32,
        "learning_rate": 2.5e-4,
        "clip_norm": 5.0,
        "ema_decay": 0.995,
        "validate_every": 200,
    },
    "landmarks_photos": {
        "steps": 1700,
        "batch_size": 32,
        "learning_rate": 4e-4,
        "clip_norm": 5.0,
        "ema_decay": 0.995,
        "validate_every": 200,
    },
    "stage2_geometry": {
        "steps": 2200,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "validate_every": 500,
    },
    "stage2": {"steps": 4000, "batch_size": 32, "learning_rate": 5e-4, "validate_every": 400},
    "stage2_inpainting": {
        "steps": 1000,
        "batch_size": 32,
        "learning_rate": 2e-4,
        "validate_every": 200,
    },
    "stage2_photos": {
        "steps": 5000,
        "batch_size": 48,
        "learning_rate": 4e-4,
        "validate_every": 500,
    },
}
"""Fields of `dimr.train.loop.LoopSettings`."""
