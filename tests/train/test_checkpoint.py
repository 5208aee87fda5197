import json

import pytest
import torch

from dimr.files import write_atomically
from dimr.train.checkpoint import (
    check_card,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
    state_hash,
    to_eight_bit,
)


def test_weights_round_trip_with_their_card(tmp_path):
    state = {"a.weight": torch.randn(3, 4), "count": torch.tensor([7])}
    path = tmp_path / "w.safetensors"
    save_weights(path, state, {"stage": "stage1", "metrics": {"iou": 0.5}})
    loaded, card = load_weights(path)
    torch.testing.assert_close(loaded["a.weight"], state["a.weight"].half().float())
    assert loaded["count"].item() == 7
    assert card == json.loads(path.with_suffix(".json").read_text())
    assert state_hash(loaded) == state_hash(state)


class TestEightBit:
    def test_by_hand(self):
        rows = torch.tensor([[127.0, -63.6], [0.0, 0.0], [0.0, -2.54]])
        whole, scale = to_eight_bit(rows)
        assert whole.tolist() == [[127, -64], [0, 0], [0, -127]]
        assert scale.tolist() == pytest.approx([1.0, 0.0, 0.02])

    def test_large_matrices_of_the_named_ones_take_half_the_room(self, tmp_path):
        generator = torch.Generator().manual_seed(0)
        large = torch.randn(128, 64, 1, 1, generator=generator) * torch.arange(128.0).view(
            -1, 1, 1, 1
        )
        state = {"a.large": large, "a.small": torch.randn(4, 4), "b.large": large}
        path = tmp_path / "w.safetensors"
        save_weights(path, state, {}, eight_bit=("a.",))
        assert path.stat().st_size < 1.6 * large.numel() * 2
        loaded, _ = load_weights(path)
        assert loaded.keys() == state.keys()
        step = large.flatten(1).abs().amax(1) / 127
        gap = (loaded["a.large"] - large).flatten(1).abs().amax(1)
        assert (gap <= 0.501 * step + 1e-6).all() and (gap[1:] > 0.3 * step[1:]).all()
        for name in ("a.small", "b.large"):
            assert torch.equal(loaded[name], state[name].half().float())


def test_state_hash_depends_on_values_and_names():
    state = {"a": torch.zeros(2)}
    assert state_hash(state) != state_hash({"a": torch.ones(2)})
    assert state_hash(state) != state_hash({"b": torch.zeros(2)})
    assert state_hash(state) == state_hash({"a": -torch.zeros(2)})  # as averaging leaves it


@pytest.mark.parametrize("content", [b"", b"not a weights file", b"\xff" * 64])
def test_load_weights_refuses_other_files(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no weights file"):
        load_weights(path)


def test_load_weights_refuses_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="no file"):
        load_weights(tmp_path / "w.safetensors")


def test_check_card_names_what_differs(tmp_path):
    with pytest.raises(ValueError, match=r"made for body 'aa'.*'bb' is in use"):
        check_card({"body": "aa", "atlas": "cc"}, tmp_path, atlas="cc", body="bb")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "result"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["result"]


def test_checkpoints_do_not_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        load_checkpoint(tmp_path / "evil.pt")
    save_checkpoint(tmp_path / "good.pt", {"step": 3})
    assert load_checkpoint(tmp_path / "good.pt") == {"step": 3}
