import json

import pytest

SMALL = ("--samples", 4, "--twins", 2, "--steps", 2, "--steps-on", 1, "--limit", 1, "--seeds", 2)


def test_table_5_prints_a_line_for_each_row_and_kind_and_trains_once(run, tmp_path):
    folder = tmp_path / "study"
    code, out, err = run(
        "ablate", "TABLE5", "-o", folder, *SMALL, "--json", folder / "table5.json"
    )
    assert code == 0, err
    report = json.loads((folder / "table5.json").read_text())
    for row in ("dimr", "occlusion", "inpainting"):
        assert out.count(f"| {row} ") == 2
        mean, reach = report[row]["predicted"]["person"]["mpjpe_mm"]
        assert mean > reach > 0  # two seeds give two heads
        assert f"{mean:.1f} ±{reach:.1f}" in out
    code, again, err = run("ablate", "TABLE5", "-o", folder, *SMALL)
    assert code == 0, err
    assert "seed 0" in out and "seed 0" not in again and "| inpainting " in again


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("TABLE9", "-o", "x"), "table: got 'TABLE9', want one of BASELINES"),
        (("TABLE3", "-o", "x", "--steps", 0), "steps: got 0, want at least 1"),
        (("TABLE3", "-o", "x", "--seeds", 0), "--seeds: got 0"),
        (
            ("TABLE3", "-o", "x", "--weights", "nobody"),
            "neither a shipped set (open, research) nor a folder",
        ),
    ],
)
def test_refusals(run, arguments, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("ablate", *arguments)
    assert code == 1 and problem in err and len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
