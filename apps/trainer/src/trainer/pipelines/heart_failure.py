"""Death during follow-up, from eight clinical features of a heart-failure patient."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

from trainer import TrainerError
from trainer.artifact import Artifact
from trainer.assembly import assemble
from trainer.data import Column, read_csv
from trainer.evaluation import BINARY_METRICS, FOLDS, evaluate
from trainer.golden import shortest_decimal
from trainer.onnx_model import XGBOOST_CONVERTER, convert_xgboost_classifier, infer
from trainer.prose.heart_failure import prose
from trainer.reference_statistics import numeric_statistics
from trainer.search import search

NAME = "heart-failure"
DATA_FILE = "heart_failure_clinical_records.csv"
TOLERANCE = 1e-6

COLUMNS = [
    Column("age", "numeric", "Age of the patient, in years", 25),
    Column("creatinine_phosphokinase", "numeric", "Enzyme CPK in the blood, in micrograms per litre", 1000),
    Column("ejection_fraction", "numeric", "Share of the blood leaving the heart at each contraction, in percent", 35),
    Column("platelets", "numeric", "Platelets in the blood, per millilitre as the source counts them", 500000),
    Column("serum_creatinine", "numeric", "Creatinine in the blood serum, in milligrams per decilitre", 8),
    Column("serum_sodium", "numeric", "Sodium in the blood serum, in milliequivalents per litre", 135),
    Column("sex", "boolean", "Sex of the patient: 1 for a man, 0 for a woman", 1),
    Column("high_blood_pressure", "boolean", "Hypertension: 1 where the patient has it, 0 where not", 0),
]
NAMES = [column.name for column in COLUMNS]
TARGET = Column("DEATH_EVENT", "boolean", "1 where the patient died during follow-up", 0, nullable=False)

# Fixed by REFERENCE_PROBABILITIES.
PARAMETERS = {
    "objective": "binary:logistic",
    "n_estimators": 30,
    "max_depth": 2,
    "learning_rate": 0.1,
    "min_child_weight": 0.5,
    "tree_method": "exact",
    "base_score": 0.5,
    "eval_metric": "logloss",
    "random_state": 0,
    "n_jobs": 1,
}
GRID = {
    "n_estimators": [10, 20, 30, 50, 100],
    "max_depth": [1, 2, 3, 4],
    "learning_rate": [0.05, 0.1, 0.2],
    "min_child_weight": [0.5, 1, 2],
}

MISSING = float("nan")
# Patients, and the probabilities of death that a model trained on the published table gives them.
REFERENCE_ROWS = pd.DataFrame(
    [
        [25, 1000, 35, 500000, 8, 135, 1, 0],
        [25, 1000, 35, 500000, 8, 135, 0, 0],
        [75, 582, 20, 265000, 1.9, 130, 1, 1],
        [55, 7861, 38, 263358.03, 1.1, 136, 1, 0],
        [60, 250, 60, 250000, 0.9, 140, 0, 0],
        [MISSING] * len(COLUMNS),
    ],
    columns=NAMES,
    dtype=np.float64,
)
REFERENCE_PROBABILITIES = np.array(
    [0.5124506, 0.55330104, 0.9026563, 0.18759595, 0.13463883, 0.5014447], dtype=np.float32
)
# SHA-256 of the published table as float32, little-endian, row by row: COLUMNS, then TARGET.
REFERENCE_TABLE_SHA256 = "f8e23487b3202b12b035f85f3626e8d13a709770dd8f091545945723457b08e7"


def train(data: Path, version: str) -> Artifact:
    """Train on the CSV file at `data` and return the artifact.

    Raises TrainerError if the file is refused, if a class has too few rows to cross-validate, and
    if the published table does not give the reference probabilities.
    """
    data_set = read_csv(data, [*COLUMNS, TARGET])
    rows = data_set.table[NAMES]
    features = rows.to_numpy(np.float32)
    target = data_set.table[TARGET.name].to_numpy(np.int64)
    if np.bincount(target, minlength=2).min() < FOLDS:
        raise TrainerError(f"{data}: column {TARGET.name} needs at least {FOLDS} rows of 0 and of 1")

    classifier = xgboost.XGBClassifier(**PARAMETERS)
    found = search(classifier, GRID, features, target, published={name: PARAMETERS[name] for name in GRID})
    metrics = evaluate(classifier, BINARY_METRICS, features, target)
    classifier.fit(features, target)
    model = convert_xgboost_classifier(classifier, NAME, len(COLUMNS))
    is_reference = _is_reference(features, target)
    if is_reference:
        _check_reference(model)

    stride = max(1, len(rows) // 20)
    golden_rows = pd.concat([REFERENCE_ROWS, rows[stride // 2 :: stride]])
    probabilities = [shortest_decimal(value) for value in classifier.predict_proba(features)[:, 1]]
    return assemble(
        name=NAME,
        version=version,
        task="binary_classification",
        classes={
            "labels": ["0", "1"],
            "label_descriptions": ["survived the follow-up", "died during the follow-up"],
            "threshold": 0.5,
        },
        model=model,
        columns=COLUMNS,
        rows=rows,
        training_data={
            "name": "Heart Failure Clinical Records",
            "file": DATA_FILE,
            "sha256": data_set.sha256,
            "source": "https://archive.ics.uci.edu/dataset/519/heart+failure+clinical+records",
            "license": "CC BY 4.0",
        },
        parameters=PARAMETERS,
        framework={"name": "xgboost", "version": xgboost.__version__},
        converter=XGBOOST_CONVERTER,
        metrics=metrics,
        golden_rows=golden_rows,
        golden_outputs={"probabilities": classifier.predict_proba(golden_rows.to_numpy(np.float32))},
        tolerance=TOLERANCE,
        prediction_statistics={"name": "probability of 1", **numeric_statistics(np.array(probabilities))},
        prose=prose(published_table=is_reference),
        search=found,
    )


def _is_reference(features: np.ndarray, target: np.ndarray) -> bool:
    table = np.column_stack([features, target]).astype("<f4")
    return hashlib.sha256(table.tobytes()).hexdigest() == REFERENCE_TABLE_SHA256


def _check_reference(model: bytes) -> None:
    probabilities = infer(model, REFERENCE_ROWS)["probabilities"][:, 1]
    differences = np.abs(probabilities - REFERENCE_PROBABILITIES)
    # ONNX Runtime and XGBoost sum the trees in different orders; the first row is known to give the same result.
    if differences[0] != 0 or differences.max() > TOLERANCE:
        given, promised = (", ".join(map(str, values)) for values in (probabilities, REFERENCE_PROBABILITIES))
        raise TrainerError(f"on the published data the model must give {promised}; it gives {given}")
