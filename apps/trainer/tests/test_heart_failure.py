"""What the heart-failure artifact promises, on the published data set."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from conftest import TRAINER_ROOT, contents
from trainer import TrainerError
from trainer.artifact import FILES
from trainer.pipelines import heart_failure

COMMITTED = TRAINER_ROOT / "../../model-artifacts/heart-failure/1"
NAMES = [
    "age",
    "creatinine_phosphokinase",
    "ejection_fraction",
    "platelets",
    "serum_creatinine",
    "serum_sodium",
    "sex",
    "high_blood_pressure",
]
PROMISED = [
    ([25, 1000, 35, 500000, 8, 135, 1, 0], 0.5124506),
    ([25, 1000, 35, 500000, 8, 135, 0, 0], 0.55330104),
    ([75, 582, 20, 265000, 1.9, 130, 1, 1], 0.9026563),
    ([55, 7861, 38, 263358.03, 1.1, 136, 1, 0], 0.18759595),
    ([60, 250, 60, 250000, 0.9, 140, 0, 0], 0.13463883),
    ([None] * 8, 0.5014447),
]


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def session(published_artifact: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(published_artifact / "model.onnx", options)


def probabilities(session: onnxruntime.InferenceSession, rows: list | np.ndarray) -> np.ndarray:
    return session.run(["probabilities"], {"features": np.array(rows, dtype=np.float32)})[0]


def test_golden_cases_start_with_the_promised_rows_and_probabilities(published_artifact: Path):
    cases = read_json(published_artifact / "golden.json")["cases"]
    for case, (row, probability) in zip(cases, PROMISED, strict=False):
        assert case["input"] == dict(zip(NAMES, row, strict=True))
        assert case["output"]["probabilities"][1] == probability
    assert len(cases) >= len(PROMISED) + 20


def test_onnx_model_gives_the_first_promised_probability_exactly(session):
    assert str(probabilities(session, [PROMISED[0][0]])[0, 1]) == "0.5124506"


def test_onnx_model_reproduces_every_golden_case(session, published_artifact: Path):
    golden = read_json(published_artifact / "golden.json")
    assert golden["tolerance"] == 1e-6
    rows = [[case["input"][name] for name in NAMES] for case in golden["cases"]]
    expected = np.array([case["output"]["probabilities"] for case in golden["cases"]])
    assert np.abs(probabilities(session, rows) - expected).max() <= 1e-6


def test_a_row_has_the_same_probability_alone_and_in_any_batch(session, published_data: Path):
    table = pd.read_csv(published_data)[NAMES].to_numpy(np.float32)
    rows = np.vstack([table, np.full(len(NAMES), np.nan, np.float32)])
    alone = np.vstack([probabilities(session, row[np.newaxis]) for row in rows])
    for size in range(2, len(rows) + 1):
        batches = [probabilities(session, rows[start : start + size]) for start in range(0, len(rows), size)]
        assert np.vstack(batches).tobytes() == alone.tobytes(), f"batches of {size}"


def test_two_processes_write_the_same_bytes(published_data: Path, tmp_path: Path):
    for number in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "trainer", "heart-failure", "--data", published_data, "--out", tmp_path / number],
            env={**os.environ, "PYTHONHASHSEED": number, "OMP_NUM_THREADS": number},
            check=True,
            capture_output=True,
        )
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_committed_artifact_is_what_the_trainer_writes(published_artifact: Path):
    committed, written = contents(COMMITTED), contents(published_artifact)
    assert sorted(committed) == sorted(FILES)
    assert [name for name in FILES if committed[name] != written[name]] == []


def test_manifest_describes_the_model_beside_it(session, published_artifact: Path, published_data: Path):
    manifest = read_json(published_artifact / "manifest.json")
    assert manifest["sha256"] == hashlib.sha256((published_artifact / "model.onnx").read_bytes()).hexdigest()
    assert manifest["training_data"]["sha256"] == hashlib.sha256(published_data.read_bytes()).hexdigest()
    assert manifest["training_data"]["rows"] == 299
    assert [entry["name"] for entry in manifest["inputs"]] == [entry.name for entry in session.get_inputs()]
    assert [entry["name"] for entry in manifest["outputs"]] == [entry.name for entry in session.get_outputs()]
    assert [metric["name"] for metric in manifest["metrics"]] == ["roc_auc", "accuracy", "log_loss", "brier"]


def test_schema_names_the_features_in_order_with_the_first_promised_row_as_example(published_artifact: Path):
    columns = read_json(published_artifact / "input_schema.json")["input_schema"]["columns"]
    assert [column["name"] for column in columns] == NAMES
    assert [column["example"] for column in columns] == PROMISED[0][0]
    assert [column["type"] for column in columns] == ["numeric"] * 6 + ["boolean"] * 2
    assert all(column["nullable"] for column in columns)


def test_model_card_states_the_metrics_of_the_manifest(published_artifact: Path):
    card = (published_artifact / "README.md").read_text(encoding="utf-8")
    for metric in read_json(published_artifact / "manifest.json")["metrics"]:
        assert f"| {metric['name']} | {metric['value']:.4f} | {metric['standard_deviation']:.4f} |" in card
    assert "not those of the published table" not in card


def test_published_data_with_other_parameters_are_refused(published_data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(heart_failure.PARAMETERS, "n_estimators", 31)
    with pytest.raises(TrainerError, match=r"must give 0\.5124506, "):
        heart_failure.train(published_data, "1")
