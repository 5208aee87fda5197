"""bfloat16 where it is fast.

CPUs without instructions for it emulate it: with AVX2 alone a step of stage 1 takes seven times as
long as in float32.
"""

import torch


def bfloat16_is_fast(device_type: str) -> bool:
    """Whether a kind of device ("cpu", "cuda") computes in bfloat16 itself."""
    if device_type != "cpu":
        return True
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def mixed_precision(device_type: str) -> torch.autocast:
    """Autocast to bfloat16 on devices that are faster with it; on others everything stays as it
    is.
    """
    return torch.autocast(device_type, torch.bfloat16, enabled=bfloat16_is_fast(device_type))
