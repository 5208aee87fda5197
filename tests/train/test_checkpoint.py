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


def test_numbers_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="running_var does not fit into float16"):
        save_weights(tmp_path / "w.safetensors", {"running_var": torch.tensor([7e4])}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"PK no checkpoint", b"\x80\x02}q\x00."])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.pt: damaged checkpoint"):
        load_checkpoint(path)


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 1})
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"step": 2})
    monkeypatch.undo()
    assert load_checkpoint(path) == {"step": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


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
