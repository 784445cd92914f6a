"""Data for the tests: the published data set where it is at hand, and a small made-up one which always is."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainer.__main__ import main
from trainer.pipelines.heart_failure import COLUMNS, TARGET

TRAINER_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def published_data() -> Path:
    """The published heart-failure data set, which is not part of the project."""
    folder = Path(os.environ.get("FORETELL_DATA_DIR", TRAINER_ROOT / "../../../shared/data"))
    path = folder.resolve() / "heart_failure_clinical_records.csv"
    if not path.is_file():
        pytest.skip(f"no {path}: set FORETELL_DATA_DIR to the folder which holds {path.name}")
    return path


@pytest.fixture(scope="session")
def published_artifact(published_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact folder which the trainer writes for the published data set."""
    folder = tmp_path_factory.mktemp("artifact") / "1"
    assert main(["heart-failure", "--data", str(published_data), "--out", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def made_up_table() -> pd.DataFrame:
    """Forty patients who never were, as text; half of them died."""
    random = np.random.default_rng(0)
    table = {
        column.name: random.integers(0, 2, 40) if column.type == "boolean" else random.integers(1, 200, 40)
        for column in COLUMNS
    }
    return pd.DataFrame({**table, TARGET.name: [0, 1] * 20}).astype(str)


@pytest.fixture
def made_up_data(made_up_table: pd.DataFrame, tmp_path: Path) -> Path:
    """The same patients in a CSV file."""
    path = tmp_path / "made_up.csv"
    made_up_table.to_csv(path, index=False)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
