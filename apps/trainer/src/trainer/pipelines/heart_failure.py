"""Death during follow-up, from eight clinical features of a heart-failure patient."""

import hashlib
from pathlib import Path

import numpy as np
import xgboost

from trainer import TrainerError
from trainer.artifact import Artifact, input_schema
from trainer.data import Column, read_csv
from trainer.evaluation import FOLDS, evaluate_binary_classifier
from trainer.golden import TOLERANCE, golden_cases
from trainer.model_card import Prose, render_model_card
from trainer.onnx_model import CONVERTER, convert_classifier, infer, operator_sets

NAME = "heart-failure"

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
TARGET = Column("DEATH_EVENT", "boolean", "1 where the patient died during follow-up", 0, nullable=False)

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

MISSING = float("nan")
# Patients, and the probabilities of death that a model of the published table gives them.
REFERENCE_ROWS = np.array(
    [
        [25, 1000, 35, 500000, 8, 135, 1, 0],
        [25, 1000, 35, 500000, 8, 135, 0, 0],
        [75, 582, 20, 265000, 1.9, 130, 1, 1],
        [55, 7861, 38, 263358.03, 1.1, 136, 1, 0],
        [60, 250, 60, 250000, 0.9, 140, 0, 0],
        [MISSING] * len(COLUMNS),
    ]
)
REFERENCE_PROBABILITIES = np.array(
    [0.5124506, 0.55330104, 0.9026563, 0.18759595, 0.13463883, 0.5014447], dtype=np.float32
)
# SHA-256 of the published table as float32, little-endian, row by row: COLUMNS, then TARGET.
REFERENCE_TABLE_SHA256 = "f8e23487b3202b12b035f85f3626e8d13a709770dd8f091545945723457b08e7"

PREDICTION = """\
The probability that a patient with heart failure dies before the end of the follow-up.
`probabilities` holds the probability of `0` (survived the follow-up) and of `1` (died during it); `label` is `1` \
where the latter is over the threshold of 0.5."""

DATA = """\
Heart Failure Clinical Records: the medical records of 299 patients, 105 women and 194 men aged 40 to 95, from \
the Faisalabad Institute of Cardiology and the Allied Hospital in Faisalabad (Punjab, Pakistan), April to December \
2015. All of them had left ventricular systolic dysfunction and earlier heart failure of NYHA class III or IV. \
96 of them (32 %) died during a follow-up of 4 to 285 days.

Davide Chicco and Giuseppe Jurman (2020): *Machine learning can predict survival of patients with heart failure \
from serum creatinine and ejection fraction alone.* BMC Medical Informatics and Decision Making 20, 16. \
<https://doi.org/10.1186/s12911-020-1023-5>"""

OTHER_DATA = """

**This version was trained on a file whose values are not those of the published table described above.**"""

USE_AND_LIMITS = """\
Meant for demonstrating and testing a prediction service, and for teaching. **Not a medical device**: no decision \
about a patient may rest on it.

- 299 patients of two hospitals in one city in one year: nothing is known about its quality elsewhere. The metrics \
below come from the same patients; there is no external validation.
- Tree models do not extrapolate: outside the ranges below (the example, aged 25, is one) the answer is that of the \
nearest range seen.
- The follow-up differed from patient to patient, so the probability is not a risk over a fixed period.
- The column `time`, the length of the follow-up, is deliberately not used: it ends with the death it would predict, \
and nobody knows it when the question is asked.
- Always answering `0` would be right for 68 % of these patients; read the accuracy against that.
- No value is missing in the data: the answer for a missing value is defined, but has never been evaluated.
- The source counts platelets per millilitre; its numbers are of the size that laboratories report per microlitre.
- `sex` is an input: the same findings can give a man and a woman different probabilities."""


def train(data: Path, version: str) -> Artifact:
    """Train on the CSV file at `data` and return the artifact.

    Raises TrainerError where the file is refused, where a class has too few rows to cross-validate, and
    where the published table does not give the reference probabilities.
    """
    data_set = read_csv(data, [*COLUMNS, TARGET])
    rows = data_set.table[[column.name for column in COLUMNS]].to_numpy()
    features = rows.astype(np.float32)
    target = data_set.table[TARGET.name].to_numpy(np.int64)
    if np.bincount(target, minlength=2).min() < FOLDS:
        raise TrainerError(f"{data}: column {TARGET.name} needs at least {FOLDS} rows of 0 and of 1")

    classifier = xgboost.XGBClassifier(**PARAMETERS)
    metrics = evaluate_binary_classifier(classifier, features, target)
    classifier.fit(features, target)
    model = convert_classifier(classifier, NAME, len(COLUMNS))
    is_reference = _is_reference(features, target)
    if is_reference:
        _check_reference(model)

    stride = max(1, len(rows) // 20)
    golden_rows = np.concatenate([REFERENCE_ROWS, rows[stride // 2 :: stride]])
    golden = golden_cases(COLUMNS, golden_rows, classifier.predict_proba(golden_rows.astype(np.float32)))
    manifest = {
        "name": NAME,
        "version": version,
        "task": "binary_classification",
        "labels": ["0", "1"],
        "label_descriptions": ["survived the follow-up", "died during the follow-up"],
        "threshold": 0.5,
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, len(COLUMNS)]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ],
        "sha256": hashlib.sha256(model).hexdigest(),
        "training_data": {
            "name": "Heart Failure Clinical Records",
            "sha256": data_set.sha256,
            "rows": len(rows),
            "source": "https://archive.ics.uci.edu/dataset/519/heart+failure+clinical+records",
            "license": "CC BY 4.0",
        },
        "parameters": PARAMETERS,
        "framework": {"name": "xgboost", "version": xgboost.__version__},
        "converter": CONVERTER,
        "opset": operator_sets(model),
        "metrics": metrics,
    }
    prose = Prose(
        title="Heart failure: death during follow-up",
        prediction=PREDICTION,
        data=DATA if is_reference else DATA + OTHER_DATA,
        use_and_limits=USE_AND_LIMITS,
        data_file="heart_failure_clinical_records.csv",
    )
    card = render_model_card(prose, manifest, golden, COLUMNS, data_set.table)
    return Artifact(model, input_schema(COLUMNS), manifest, golden, card)


def _is_reference(features: np.ndarray, target: np.ndarray) -> bool:
    table = np.column_stack([features, target]).astype("<f4")
    return hashlib.sha256(table.tobytes()).hexdigest() == REFERENCE_TABLE_SHA256


def _check_reference(model: bytes) -> None:
    probabilities = infer(model, REFERENCE_ROWS)["probabilities"][:, 1]
    differences = np.abs(probabilities - REFERENCE_PROBABILITIES)
    # ONNX Runtime and XGBoost sum the trees in different orders; the first row is known to come out the same.
    if differences[0] != 0 or differences.max() > TOLERANCE:
        given, promised = (", ".join(map(str, values)) for values in (probabilities, REFERENCE_PROBABILITIES))
        raise TrainerError(f"on the published data the model must give {promised}; it gives {given}")
