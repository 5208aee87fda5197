"""Similarity Procrustes: the alignment behind PA-MPJPE."""

import torch
from jaxtyping import Float
from torch import Tensor


def procrustes_align(
    source_m: Float[Tensor, "B N 3"], target_m: Float[Tensor, "B N 3"]
) -> Float[Tensor, "B N 3"]:
    """Each source moved by the similarity that fits its target best.

    A similarity is a scale, a rotation (no reflection) and a translation. Every item is aligned
    on its own, whatever the batch size: implementations that tell points from coordinates by
    comparing shapes go wrong for batches of 2 or 3.
    """
    source_mean = source_m.mean(1, keepdim=True)
    target_mean = target_m.mean(1, keepdim=True)
    source, target = source_m - source_mean, target_m - target_mean
    covariance = source.transpose(1, 2) @ target
    left, singular, right_t = torch.linalg.svd(covariance)
    sign = torch.ones_like(singular)
    sign[:, 2] = torch.sign(torch.det(left @ right_t))
    rotation = (left * sign[:, None]) @ right_t  # acts on row vectors
    variance = source.square().sum((1, 2)).clamp_min(1e-12)
    scale = (singular * sign).sum(1) / variance
    return scale[:, None, None] * source @ rotation + target_mean
