"""Data for the tests: the published data sets if they are available, and small made-up ones that always are."""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from trainer.__main__ import main
from trainer.pipelines import PIPELINES, heart_failure

TRAINER_ROOT = Path(__file__).resolve().parents[1]


def published_data(name: str) -> Path | None:
    """The published data set of a pipeline, None if it brings its own; skips the test if it is not available."""
    if PIPELINES[name].DATA_FILE is None:
        return None
    folder = Path(os.environ.get("FORETELL_DATA_DIR", TRAINER_ROOT / "../../../shared/data"))
    path = folder.resolve() / PIPELINES[name].DATA_FILE
    if not path.is_file():
        pytest.skip(f"no {path}: set FORETELL_DATA_DIR to the folder which holds {path.name}")
    return path


def arguments(name: str, out: Path) -> list[str]:
    """The command line that trains a pipeline on its published data."""
    data = published_data(name)
    return [name, *(["--data", str(data)] if data else []), "--out", str(out), "--quiet"]


@pytest.fixture(scope="session")
def published_artifact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The artifact folder that the trainer writes for a pipeline's published data, by the pipeline's name."""

    @functools.cache
    def write(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "1"
        assert main(arguments(name, folder)) == 0
        return folder

    return write


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, published_artifact) -> Path:
    """The artifact of the pipeline with the test module's NAME."""
    return published_artifact(request.module.NAME)


@pytest.fixture(scope="module")
def session(folder: Path) -> onnxruntime.InferenceSession:
    return open_model(folder)


@pytest.fixture
def made_up_table() -> pd.DataFrame:
    """Forty invented patients, as text; half of them died."""
    random = np.random.default_rng(0)
    table = {
        column.name: random.integers(0, 2, 40) if column.type == "boolean" else random.integers(1, 200, 40)
        for column in heart_failure.COLUMNS
    }
    return pd.DataFrame({**table, heart_failure.TARGET.name: [0, 1] * 20}).astype(str)


@pytest.fixture
def made_up_data(made_up_table: pd.DataFrame, tmp_path: Path, small_grid: None) -> Path:
    """The same patients in a CSV file."""
    path = tmp_path / "made_up.csv"
    made_up_table.to_csv(path, index=False)
    return path


@pytest.fixture
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid of two candidates, for tests that are not about the search."""
    parameters = {name: [heart_failure.PARAMETERS[name]] for name in heart_failure.GRID}
    monkeypatch.setattr(heart_failure, "GRID", {**parameters, "max_depth": [1, 2]})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def open_model(folder: Path) -> onnxruntime.InferenceSession:
    """The model of an artifact folder, on one thread as in the service."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(folder / "model.onnx", options)
