"""What each artifact promises, whatever its model: it is reproducible, complete, and its files agree."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from conftest import TRAINER_ROOT, arguments, contents, open_model, published_data, read_json
from trainer.artifact import FILES
from trainer.evaluation import metric_text
from trainer.pipelines import PIPELINES

DATATYPES = {"tensor(float)": "FP32", "tensor(int64)": "INT64", "tensor(string)": "BYTES"}


@pytest.fixture(params=sorted(PIPELINES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def folder(name: str, published_artifact) -> Path:
    return published_artifact(name)


@pytest.fixture
def columns(folder: Path) -> list[dict]:
    return read_json(folder / "input_schema.json")["input_schema"]["columns"]


def test_another_process_writes_the_same_bytes(name: str, folder: Path, tmp_path: Path):
    # Other hashes, other threads, and the arithmetic of a much older processor.
    environment = {
        "PYTHONHASHSEED": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENBLAS_CORETYPE": "Prescott",
    }
    subprocess.run(
        [sys.executable, "-m", "trainer", *arguments(name, tmp_path / "1")],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    assert different_files(tmp_path / "1", folder) == []


def test_committed_artifact_is_what_the_trainer_writes(name: str, folder: Path):
    assert different_files(TRAINER_ROOT / "../../model-artifacts" / name / "1", folder) == []


def different_files(left: Path, right: Path) -> list[str]:
    assert sorted(contents(left)) == sorted(contents(right)) == sorted(FILES)
    return [file for file in FILES if contents(left)[file] != contents(right)[file]]


@pytest.mark.parametrize("batched", [True, False])
def test_onnx_model_reproduces_every_golden_case(folder: Path, columns: list[dict], batched: bool):
    golden, session = read_json(folder / "golden.json"), open_model(folder)
    assert len(golden["cases"]) >= 25
    for cases in [golden["cases"]] if batched else [[case] for case in golden["cases"]]:
        found = dict(
            zip(names(session.get_outputs()), session.run(None, tensors(session, columns, cases)), strict=True)
        )
        for output in cases[0]["output"]:
            expected = np.array([case["output"][output] for case in cases])
            if output == "label":
                assert found[output].tolist() == expected.tolist()
            else:
                assert np.abs(found[output].reshape(expected.shape) - expected).max() <= golden["tolerance"]


def tensors(session, columns: list[dict], cases: list[dict]) -> dict[str, np.ndarray]:
    values = {
        column["name"]: np.array(
            [[case["input"][column["name"]]] for case in cases],
            dtype=object if column["type"] == "categorical" else np.float32,
        )
        for column in columns
    }
    return {"features": np.hstack(list(values.values()))} if names(session.get_inputs()) == ["features"] else values


def names(tensors: list) -> list[str]:
    return [tensor.name for tensor in tensors]


def test_golden_inputs_are_rows_which_the_schema_accepts(folder: Path, columns: list[dict]):
    for case in read_json(folder / "golden.json")["cases"]:
        assert list(case["input"]) == [column["name"] for column in columns]
        for column in columns:
            value = case["input"][column["name"]]
            assert value is not None or column["nullable"]
            if column["type"] == "categorical":
                assert value in column["categories"]


def test_manifest_describes_the_model_beside_it(name: str, folder: Path):
    manifest, session = read_json(folder / "manifest.json"), open_model(folder)
    assert (manifest["name"], manifest["version"]) == (name, "1")
    assert manifest["sha256"] == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    for documented, tensors in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        assert manifest[documented] == [
            {
                "name": tensor.name,
                "datatype": DATATYPES[tensor.type],
                "shape": [size if isinstance(size, int) else -1 for size in tensor.shape],
            }
            for tensor in tensors
        ]


def test_manifest_names_the_data_it_was_trained_on(name: str, folder: Path):
    data = published_data(name) or Path(sklearn.datasets.__file__).parent / "data/iris.csv"
    manifest = read_json(folder / "manifest.json")
    assert manifest["training_data"]["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert manifest["training_data"]["rows"] == len(pd.read_csv(data))


def test_examples_form_a_row_without_a_missing_value(columns: list[dict]):
    for column in columns:
        kinds = {"numeric": (int, float), "boolean": int, "categorical": str}
        assert isinstance(column["example"], kinds[column["type"]])
        assert column["example"] in column.get("categories", [column["example"]])


def test_reference_statistics_add_up(folder: Path, columns: list[dict]):
    statistics = read_json(folder / "reference_statistics.json")
    assert statistics["rows"] == read_json(folder / "manifest.json")["training_data"]["rows"]
    assert list(statistics["features"]) == [column["name"] for column in columns]
    assert [feature["type"] for feature in statistics["features"].values()] == [column["type"] for column in columns]
    described = [*statistics["features"].values(), statistics["prediction"]]
    if "confidence" in statistics["prediction"]:
        described.append(statistics["prediction"]["confidence"])
    for values in described:
        assert values["count"] + values["missing"] == statistics["rows"]
        if values["type"] != "numeric":
            assert math.isclose(sum(values["shares"].values()), 1, abs_tol=1e-5)
            continue
        edges, counts = values["histogram"]["edges"], values["histogram"]["counts"]
        assert (edges[0], edges[-1]) == (values["minimum"], values["maximum"])
        assert edges == sorted(set(edges)) and len(edges) == len(counts) + 1
        assert sum(counts) == values["count"]
        assert list(values["quantiles"]) == ["0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99"]
        ordered = [values["minimum"], *values["quantiles"].values(), values["maximum"]]
        assert ordered == sorted(ordered)
        assert values["minimum"] <= values["mean"] <= values["maximum"]


def test_model_card_states_the_metrics_of_the_manifest(folder: Path):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for metric in read_json(folder / "manifest.json")["metrics"]:
        value, deviation = metric_text(metric["value"]), metric_text(metric["standard_deviation"])
        assert f"| {metric['name']} | {value} | {deviation} |" in card
    assert "This version was trained on a file" not in card
