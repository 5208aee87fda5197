import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.train.checkpoint import load_checkpoint
from dimr.train.loop import BEST, LAST, LOG, LoopSettings, StepLoss, learning_rate_factor, train
from dimr.train.processes import Processes


class Line(Dataset):
    """Points of y = 3 x + 1; the item depends on its index alone."""

    def __getitem__(self, index):
        x = torch.rand(1, generator=torch.Generator().manual_seed(index))
        return x, 3 * x + 1

    def __len__(self):
        return 10**9


class FitLine:
    def __init__(self):
        torch.manual_seed(0)
        self.model = nn.Linear(1, 1)

    def samples(self):
        return Line()

    def parameter_groups(self, learning_rate):
        return [{"params": list(self.model.parameters()), "lr": learning_rate}]

    def loss(self, batch, step):
        error = (self.model(batch[0]) - batch[1]).square().mean()
        return StepLoss(error, {"error": float(error.detach())})

    def validate(self, model):
        x = torch.linspace(0, 1, 5)[:, None]
        with torch.no_grad():
            return {"score": float((model(x) - 3 * x - 1).square().mean())}


SETTINGS = LoopSettings(
    steps=60, batch_size=8, learning_rate=0.3, warmup_steps=5, validate_every=20, ema_decay=0.8
)


def test_training_learns_and_logs(tmp_path):
    best = train(FitLine(), SETTINGS, tmp_path)
    assert best["score"] < 0.02
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert load_checkpoint(tmp_path / BEST)["best"] == best


class FitNoisyLine(FitLine):
    """Draws in each step, and validates as the real tasks do: a DataLoader draws, too."""

    def __init__(self, stops_at=None):
        super().__init__()
        self.drawn, self.stops_at = {}, stops_at

    def loss(self, batch, step):
        if step == self.stops_at:
            raise KeyboardInterrupt
        self.drawn[step] = float(torch.rand(()))
        return super().loss((batch[0], batch[1] + self.drawn[step]), step)

    def validate(self, model):
        for _ in DataLoader(Subset(self.samples(), range(2))):
            pass
        return super().validate(model)


class Silent(Processes):
    """One of several processes, the others of which nobody started."""

    def copy_first(self, model):
        pass

    def average_gradients(self, model):
        pass

    def any(self, condition):
        return condition


def weights_after(task, settings, folder, **limits):
    train(task, settings, folder, **limits)
    return torch.cat([value.flatten() for value in task.model.state_dict().values()])


class TestResume:
    def test_a_stopped_run_resumes_exactly(self, tmp_path):
        whole = weights_after(FitNoisyLine(), SETTINGS, tmp_path / "whole")
        stopped = tmp_path / "stopped"
        # A checkpoint after every step: the interruption falls on a step boundary.
        settings = replace(SETTINGS, checkpoint_minutes=0.0)
        with pytest.raises(KeyboardInterrupt):
            train(FitNoisyLine(stops_at=30), settings, stopped)
        assert load_checkpoint(stopped / LAST)["step"] == 30
        assert torch.equal(weights_after(FitNoisyLine(), settings, stopped), whole)

    def test_steps_that_are_taken_again_stand_in_the_log_once(self, tmp_path):
        stopped = tmp_path / "stopped"
        with pytest.raises(KeyboardInterrupt):
            train(FitNoisyLine(stops_at=30), replace(SETTINGS, checkpoint_minutes=0.0), stopped)
        with (stopped / LOG).open("a") as log:  # validated, and ended before its checkpoint
            log.write(json.dumps({"step": 31}) + "\n")
        train(FitNoisyLine(), replace(SETTINGS, checkpoint_minutes=0.0), stopped)
        steps = [json.loads(line)["step"] for line in (stopped / LOG).read_text().splitlines()]
        assert steps == sorted(set(steps)) and 31 not in steps

    def test_so_does_one_that_ran_out_of_time(self, tmp_path):
        """It validates where a whole run would not."""
        whole = weights_after(FitNoisyLine(), SETTINGS, tmp_path / "whole")
        stopped = tmp_path / "stopped"
        for step in (1, 2):
            train(FitNoisyLine(), SETTINGS, stopped, max_minutes=1e-9)
            assert load_checkpoint(stopped / LAST)["step"] == step
        assert torch.equal(weights_after(FitNoisyLine(), SETTINGS, stopped), whole)

    def test_every_process_draws_as_if_it_had_not_stopped(self, tmp_path, monkeypatch):
        drawn = []
        for rank in (0, 1):
            monkeypatch.setattr(Processes, "current", lambda rank=rank: Silent(rank, 2))
            whole, resumed = FitNoisyLine(), FitNoisyLine()
            train(whole, SETTINGS, tmp_path / f"whole{rank}")
            if rank == 0:
                train(FitNoisyLine(), SETTINGS, tmp_path / "stopped", max_minutes=1e-9)
                first = (tmp_path / "stopped" / LAST).read_bytes()
            (tmp_path / "stopped" / LAST).write_bytes(first)  # as the first process left it
            train(resumed, SETTINGS, tmp_path / "stopped")
            assert resumed.drawn.items() <= whole.drawn.items() and len(resumed.drawn) == 59
            drawn += whole.drawn.values()
        assert len(set(drawn)) == 120  # nobody draws what another does, or what was drawn before


def test_other_settings_are_not_mixed_into_a_run(tmp_path):
    train(FitLine(), LoopSettings(steps=2, batch_size=2, validate_every=2), tmp_path)
    with pytest.raises(ValueError, match="other settings"):
        train(FitLine(), LoopSettings(steps=3, batch_size=2, validate_every=2), tmp_path)


def test_learning_rate_rises_then_falls():
    factors = [learning_rate_factor(step, 10, 100) for step in range(100)]
    assert factors[0] == 0.1 and factors[9] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == pytest.approx(0.02, abs=1e-3)


def test_a_loss_that_explodes_is_said(tmp_path):
    class Explodes(FitLine):
        def loss(self, batch, step):
            result = super().loss(batch, step)
            return result if step < 3 else result._replace(total=result.total * float("inf"))

    with pytest.raises(ValueError, match="loss of step 3 is not finite"):
        train(Explodes(), SETTINGS, tmp_path)


def test_a_constant_schedule_stays():
    assert {learning_rate_factor(step, 0, 100, "constant") for step in range(100)} == {1.0}
    with pytest.raises(ValueError, match="schedule: got 'linear'"):
        LoopSettings(steps=1, schedule="linear")


def test_processes_share_a_batch():
    assert [list(Processes(rank, 3).share_of(range(6, 12))) for rank in range(3)] == [
        [6, 7],
        [8, 9],
        [10, 11],
    ]


def test_settings_refuse_nonsense():
    with pytest.raises(ValueError, match="steps: got 0"):
        LoopSettings(steps=0)
