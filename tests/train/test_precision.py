"""bfloat16 only where it is fast."""

import pytest
import torch

from dimr.train import precision
from dimr.train.precision import bfloat16_is_fast, mixed_precision


def test_gpus_compute_in_bfloat16_themselves():
    assert bfloat16_is_fast("cuda")


@pytest.mark.parametrize("fast", [True, False])
def test_on_a_cpu_its_instructions_decide(monkeypatch, fast):
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device_type: fast)
    layer, values = torch.nn.Linear(4, 3), torch.ones(2, 4)
    with mixed_precision("cpu"):
        assert layer(values).dtype == (torch.bfloat16 if fast else torch.float32)


def test_a_cpu_without_its_library_stays_in_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not bfloat16_is_fast("cpu")
