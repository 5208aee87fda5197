import json
import math

import numpy as np
import pytest
import torch

from data.real import writers
from dimr.data.real.bodies import Bodies
from dimr.evaluate.real import Recovered, Result
from dimr.evaluate.tables import PVE, TABLES, Measured, datasets_of, measure, report, unfair


def printed(table, method):
    return dict(TABLES[table].rows)[method]


def test_printed_numbers_of_the_paper():
    """Spot checks against the text, and the paper's own claims that can be recomputed."""
    assert printed("TABLE1", "DIMR")[:3] == (70.7, 109.2, 154.6)
    assert printed("TABLE1", "DIMR (GT IUV)") == (54.6, 88.9, 104.3, 50.6, 75.2, 94.9, 50.9, 79.3)
    assert printed("TABLE1", "PARE") == (None, None, None, 56.6, 90.5, 107.9, 57.1, 88.6)
    assert printed("TABLE2", "DIMR (GT IUV)") == (47.8, 73.0, 99.5)
    assert printed("TABLE2", "PARE") == (50.9, 82.0, 97.9)
    for table in TABLES.values():
        assert all(len(row) == len(table.columns) for _, row in table.rows)
        for _, row in table.rows:  # alignment can only lower MPJPE
            for (_, metric), value, after in zip(table.columns, row, row[1:], strict=False):
                if metric == "pa_mpjpe_mm" and value is not None and after is not None:
                    assert value < after


def test_data_sets_of_the_tables():
    assert datasets_of(TABLES["TABLE1"]) == ("3dpw", "3doh", "ochuman")
    assert datasets_of(TABLES["TABLE2"]) == ("3dpw",)


def test_training_on_a_benchmark_is_said():
    lines = unfair(TABLES["TABLE1"], ("h36m", "3dpw"))
    assert [line.split(":")[0] for line in lines] == [
        "3DPW-PC",
        "3DPW-OC",
        "3DPW-PC-24",
        "3DPW-Crowd",
    ]
    assert unfair(TABLES["TABLE2"], ("3dpw",)) == []
    assert len(unfair(TABLES["TABLE1"], ("3doh_train",))) == 1


def wrong_pose(record):
    rotmats = torch.eye(3).repeat(24, 1, 1)
    rotmats[0] = torch.diag(torch.tensor([1.0, -1, -1]))
    return Recovered(rotmats, torch.zeros(10), torch.tensor([0.9, 0, 0]), record.window(64))


def test_measures_what_is_there_and_names_what_is_not(tmp_path, people, open_body):
    writers.write_body_files(tmp_path / "body", open_body)
    writers.write_doh(tmp_path / "elsewhere/testset", people)
    writers.write_pw3d(tmp_path / "3dpw", [people[:1]], open_body, "courtyard_golf_00", "train")
    lines = []
    measured = measure(
        TABLES["TABLE1"],
        tmp_path,
        {"3doh": tmp_path / "elsewhere"},
        wrong_pose,
        Bodies.load(tmp_path),
        lines.append,
    )
    assert set(measured.results) == {"3DPW-OC", "3DOH"}
    assert measured.missing["OCHuman"].startswith("missing: ")
    assert "ochuman.json" in measured.missing["OCHuman"]
    assert "nobody" in measured.missing["3DPW-PC"]
    values = measured.values(TABLES["TABLE1"])
    assert values[:3] == [None] * 3 and all(value > 0 for value in values[3:])
    assert any("3doh: 3 records of 3" in line for line in lines)
    stored = report(TABLES["TABLE1"], measured, {"weights_hash": "hash", "iuv": "gt"})
    stored = json.loads(json.dumps(stored, allow_nan=False))
    assert stored["weights_hash"] == "hash" and stored["iuv"] == "gt"
    assert stored["protocols"]["3DPW-PC-24"]["joint_set"] == "smpl24"
    assert stored["results"]["3DOH"]["num"] == 3


def test_the_first_people_of_each_protocol(tmp_path, people, open_body):
    writers.write_body_files(tmp_path / "body", open_body)
    writers.write_doh(tmp_path / "3doh/testset", people)
    watched = {}

    def track(chosen, protocol):
        watched[protocol] = len(chosen)
        return iter(chosen)

    bodies = Bodies.load(tmp_path)
    table = TABLES["TABLE1"]
    measured = measure(table, tmp_path, {}, wrong_pose, bodies, track=track, limit=2)
    assert measured.results["3DOH"].num == 2 and watched == {"3DOH": 2}


def test_what_cannot_be_compared_stays_open():
    nan = {name: math.nan for name in ("pa_mpjpe_mm", "mpjpe_mm", PVE)}
    measured = Measured({"3DPW": Result("3DPW", 1, nan | {"mpjpe_mm": 5.0}, 0, [])}, {})
    assert measured.values(TABLES["TABLE2"]) == [None, 5.0, None]
    stored = report(TABLES["TABLE2"], measured, {})
    assert json.loads(json.dumps(stored, allow_nan=False))["results"]["3DPW"][PVE] is None


def test_another_bodys_predictions_have_no_pve(tmp_path, people, open_body):
    from dimr.evaluate.protocols import PROTOCOLS, body_errors

    writers.write_body_files(tmp_path / "body", open_body)
    bodies = Bodies.load(tmp_path)
    other = Bodies.load(None).neutral
    other.faces = torch.flip(other.faces, (0,))
    eye, zeros = torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(1, 10)
    errors = body_errors(
        PROTOCOLS["3DPW"], eye, zeros, eye, zeros, bodies._replace(predicted=other), "neutral"
    )
    assert errors["mpjpe_mm"].item() < 0.01 and np.isnan(errors[PVE].item())
    assert pytest.approx(0, abs=0.02) == errors["pa_mpjpe_mm"].item()
