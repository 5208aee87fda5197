"""One thread a process: the suite runs in parallel processes (`pytest -n`)."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def open_body():
    from dimr.body.model import BodyModel

    return BodyModel.load(None)


@pytest.fixture(scope="session")
def open_atlas():
    from dimr.surface.atlas import load_atlas

    return load_atlas(None)


@pytest.fixture(scope="session")
def people(open_body, open_atlas):
    """Three synthetic people whose truth is known, to be written in the data sets' formats."""
    from data.real.writers import make_people

    return make_people(open_body, open_atlas, 3)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `dimr ...`; returns exit code, stdout and stderr."""
    from dimr import cli

    def run_main(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dimr", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return int(stop.value.code or 0), printed.out, printed.err

    return run_main
