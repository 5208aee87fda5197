import json

import pytest

from dimr.commands.ablate import study_tables
from dimr.data.synthetic.synthocc import SUBSETS

SMALL = ("--samples", 4, "--twins", 2, "--steps", 2, "--steps-on", 1, "--limit", 1, "--seeds", 2)


def test_table_5_prints_a_line_for_each_row_and_kind_and_trains_once(run, tmp_path):
    folder = tmp_path / "study"
    code, out, err = run(
        "ablate", "TABLE5", "-o", folder, *SMALL, "--json", folder / "table5.json"
    )
    assert code == 0, err
    report = json.loads((folder / "table5.json").read_text())
    for row in ("dimr", "occlusion", "inpainting"):
        assert out.count(f"| {row} ") == (4 if row == "inpainting" else 2)  # shares, too
        first, second = (means["predicted"]["person"]["mpjpe_mm"] for means in report["rows"][row])
        assert first != second  # two seeds give two heads
        assert f"{(first + second) / 2:.1f} ±{abs(first - second) / 2:.1f}" in out
    assert out.count("| inpainting / occlusion ") == 2
    code, again, err = run("ablate", "TABLE5", "-o", folder, *SMALL)
    assert code == 0, err
    assert "seed 0" in out and "seed 0" not in again and "| inpainting " in again


def means(mpjpe_mm):
    measures = {"mpjpe_mm": mpjpe_mm, "pa_mpjpe_mm": mpjpe_mm / 2, "pve_mm": mpjpe_mm + 1}
    return {"gt": {subset: measures for subset in (*SUBSETS, "all")}}


def cells(table):
    return [list(column.cells) for column in table.columns]


def test_tables_say_means_over_seeds_and_shares_of_the_same_seed():
    rows = {"occlusion": [means(100.0), means(80.0)], "inpainting": [means(90.0), means(76.0)]}
    errors, shares = (cells(table) for table in study_tables("TABLE5", rows))
    assert errors[0] == ["occlusion", "inpainting"]
    assert errors[2] == ["90.0 ±10.0", "83.0 ±7.0"]
    assert errors[-2:] == [["45.0 ±5.0", "41.5 ±3.5"], ["91.0 ±10.0", "84.0 ±7.0"]]
    assert shares[0] == ["inpainting / occlusion"]
    assert shares[2] == ["0.925 ±0.025"]  # of 0.9 and 0.95
    (alone,) = study_tables("TABLE3", {"dimr": [means(100.0)]})
    assert cells(alone)[2] == ["100.0"]


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
