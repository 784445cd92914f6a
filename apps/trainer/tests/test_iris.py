"""What the iris artifact promises: a label and how probable it is."""

from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.datasets import load_iris

from conftest import read_json

NAME = "iris"
LABELS = ["setosa", "versicolor", "virginica"]


def answer(session: onnxruntime.InferenceSession, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(session.run(["label", "probabilities"], {"features": rows.astype(np.float32)}))


def test_label_is_the_most_probable_species_and_nearly_always_the_right_one(session):
    iris = load_iris()
    labels, probabilities = answer(session, iris.data)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (150, 3))
    assert labels.tolist() == np.array(LABELS)[probabilities.argmax(axis=1)].tolist()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-6
    assert (labels == np.array(LABELS)[iris.target]).mean() > 0.96


def test_a_flower_has_the_same_label_alone_and_in_any_batch_and_nearly_the_same_probabilities(session):
    rows = load_iris().data
    alone = [answer(session, row[np.newaxis]) for row in rows]
    for size in (2, 7, 64, 150):
        batches = [answer(session, rows[start : start + size]) for start in range(0, 150, size)]
        labels, probabilities = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        assert labels.tolist() == [label for (label,), _ in alone]
        assert np.abs(probabilities - np.vstack([row for _, row in alone])).max() <= 1e-6


def test_manifest_describes_three_species_and_how_the_parameter_was_chosen(folder: Path):
    manifest = read_json(folder / "manifest.json")
    assert manifest["task"] == "multiclass_classification"
    assert manifest["labels"] == LABELS
    assert "threshold" not in manifest
    assert manifest["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}]
    assert manifest["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert manifest["search"]["best"]["parameters"] == {"C": manifest["parameters"]["C"]}
    metrics = {metric["name"]: metric["value"] for metric in manifest["metrics"]}
    assert metrics["accuracy"] > 0.95
    assert metrics["log_loss"] < 0.1


def test_golden_cases_hold_every_species_and_the_least_certain_flower(folder: Path):
    golden = read_json(folder / "golden.json")
    outputs = [case["output"] for case in golden["cases"]]
    statistics = read_json(folder / "reference_statistics.json")["prediction"]
    assert golden["tolerance"] == 1e-6
    assert {output["label"] for output in outputs} == set(LABELS)
    for output in outputs:
        assert output["label"] == LABELS[int(np.argmax(output["probabilities"]))]
    assert min(max(output["probabilities"]) for output in outputs) == statistics["confidence"]["minimum"]


def test_schema_has_the_first_flower_as_example_and_no_value_may_be_missing(folder: Path):
    columns = read_json(folder / "input_schema.json")["input_schema"]["columns"]
    assert [column["name"] for column in columns] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert [column["example"] for column in columns] == load_iris().data[0].tolist()
    assert not any(column["nullable"] for column in columns)


def test_reference_statistics_share_the_labels_and_describe_the_confidence(folder: Path):
    prediction = read_json(folder / "reference_statistics.json")["prediction"]
    assert list(prediction["shares"]) == LABELS
    assert prediction["shares"]["setosa"] == round(50 / 150, 6)
    assert 1 / 3 < prediction["confidence"]["minimum"] < prediction["confidence"]["maximum"] <= 1
