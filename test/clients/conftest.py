"""Someone else starts the service under test: its address and a token are in the environment."""

import os

import numpy
import pandas
import pytest

URL = os.environ["FORETELL_URL"]
TOKEN = os.environ["FORETELL_TOKEN"]

COLUMNS = [
    "age",
    "creatinine_phosphokinase",
    "ejection_fraction",
    "platelets",
    "serum_creatinine",
    "serum_sodium",
    "sex",
    "high_blood_pressure",
]
PATIENTS = [
    [25, 1000, 35, 500000, 8, 135, 1, 0],
    [55, 7861, 38, 263358.03, 1.1, 136, 1, 0],
    [numpy.nan] * 8,
]
"""The training framework's answers, in the order of PATIENTS."""
LABELS = [1, 0, 1]
PROBABILITIES = [0.5124506, 0.18759595, 0.5014447]


@pytest.fixture
def url() -> str:
    return URL


@pytest.fixture
def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def patients() -> numpy.ndarray:
    return numpy.array(PATIENTS, dtype=numpy.float32)


@pytest.fixture
def frame() -> pandas.DataFrame:
    return pandas.DataFrame(PATIENTS, columns=COLUMNS)
