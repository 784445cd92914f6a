"""What the heart-failure artifact promises, on the published data set."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from conftest import published_data, read_json
from trainer import TrainerError
from trainer.pipelines import heart_failure

NAME = "heart-failure"
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


def probabilities(session: onnxruntime.InferenceSession, rows: list | np.ndarray) -> np.ndarray:
    return session.run(["probabilities"], {"features": np.array(rows, dtype=np.float32)})[0]


def test_golden_cases_start_with_the_promised_rows_and_probabilities(folder: Path):
    golden = read_json(folder / "golden.json")
    assert golden["tolerance"] == 1e-6
    for case, (row, probability) in zip(golden["cases"], PROMISED, strict=False):
        assert case["input"] == dict(zip(NAMES, row, strict=True))
        assert case["output"]["probabilities"][1] == probability
    assert len(golden["cases"]) >= len(PROMISED) + 20


def test_onnx_model_gives_the_first_promised_probability_exactly(session):
    assert str(probabilities(session, [PROMISED[0][0]])[0, 1]) == "0.5124506"


def test_a_row_has_the_same_probability_alone_and_in_any_batch(session):
    table = pd.read_csv(published_data(NAME))[NAMES].to_numpy(np.float32)
    rows = np.vstack([table, np.full(len(NAMES), np.nan, np.float32)])
    alone = np.vstack([probabilities(session, row[np.newaxis]) for row in rows])
    for size in range(2, len(rows) + 1):
        batches = [probabilities(session, rows[start : start + size]) for start in range(0, len(rows), size)]
        assert np.vstack(batches).tobytes() == alone.tobytes(), f"batches of {size}"


def test_manifest_has_the_promised_task_and_parameters(folder: Path):
    manifest = read_json(folder / "manifest.json")
    assert manifest["task"] == "binary_classification"
    assert (manifest["labels"], manifest["threshold"]) == (["0", "1"], 0.5)
    assert (
        manifest["parameters"].items()
        >= {
            "n_estimators": 30,
            "max_depth": 2,
            "learning_rate": 0.1,
            "min_child_weight": 0.5,
            "tree_method": "exact",
            "base_score": 0.5,
            "eval_metric": "logloss",
        }.items()
    )
    assert [metric["name"] for metric in manifest["metrics"]] == ["roc_auc", "accuracy", "log_loss", "brier"]


def test_the_search_says_how_far_the_published_parameters_are_from_its_winner(folder: Path):
    manifest = read_json(folder / "manifest.json")
    search = manifest["search"]
    assert search["candidates"] == np.prod([len(values) for values in search["grid"].values()])
    published = search["published"]
    assert published["parameters"].items() <= manifest["parameters"].items()
    assert published["rank"] > 1
    assert published["difference"] == pytest.approx(published["value"] - search["best"]["value"], abs=2e-4)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"rank {published['rank']} of {search['candidates']}" in card


def test_schema_names_the_features_in_order_with_the_first_promised_row_as_example(folder: Path):
    columns = read_json(folder / "input_schema.json")["input_schema"]["columns"]
    assert [column["name"] for column in columns] == NAMES
    assert [column["example"] for column in columns] == PROMISED[0][0]
    assert [column["type"] for column in columns] == ["numeric"] * 6 + ["boolean"] * 2
    assert all(column["nullable"] for column in columns)


def test_reference_statistics_describe_the_patients_and_their_probabilities(folder: Path):
    statistics = read_json(folder / "reference_statistics.json")
    assert statistics["features"]["age"]["quantiles"]["0.5"] == 60
    assert statistics["features"]["sex"]["shares"] == {"0": 0.351171, "1": 0.648829}
    assert statistics["prediction"]["maximum"] == 0.9026563


def test_published_data_with_other_parameters_are_refused(monkeypatch: pytest.MonkeyPatch, small_grid: None):
    monkeypatch.setitem(heart_failure.PARAMETERS, "n_estimators", 31)
    monkeypatch.setitem(heart_failure.GRID, "n_estimators", [31])
    with pytest.raises(TrainerError, match=r"must give 0\.5124506, "):
        heart_failure.train(published_data(NAME), "1")
