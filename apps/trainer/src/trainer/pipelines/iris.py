"""The species of an iris, from four lengths of its flower."""

import hashlib
from importlib import resources

import numpy as np
import pandas as pd
import sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from trainer.artifact import Artifact
from trainer.assembly import assemble
from trainer.data import Column
from trainer.evaluation import MULTICLASS_METRICS, evaluate
from trainer.golden import shortest_decimal
from trainer.onnx_model import SKLEARN_CONVERTER, convert_classifier_pipeline
from trainer.prose.iris import PROSE
from trainer.reference_statistics import numeric_statistics, share_statistics
from trainer.search import search

NAME = "iris"
# The data ship inside scikit-learn.
DATA_FILE = None
TOLERANCE = 1e-6

COLUMNS = [
    Column("sepal_length", "numeric", "Length of a sepal, in centimetres", 5.1, nullable=False),
    Column("sepal_width", "numeric", "Width of a sepal, in centimetres", 3.5, nullable=False),
    Column("petal_length", "numeric", "Length of a petal, in centimetres", 1.4, nullable=False),
    Column("petal_width", "numeric", "Width of a petal, in centimetres", 0.2, nullable=False),
]
LABELS = ("setosa", "versicolor", "virginica")

# Newton's method gives the same float32 coefficients on every processor; lbfgs may not.
PARAMETERS = {"solver": "newton-cholesky", "tol": 1e-10}
# From smooth to steep.
GRID = {"classify__C": [0.01, 0.1, 0.3, 1, 3, 10, 30, 100, 1000]}


def train(data: None, version: str) -> Artifact:
    """Train on the data that ship inside scikit-learn and return the artifact; `data` is always None."""
    iris = load_iris()
    rows = pd.DataFrame(iris.data, columns=[column.name for column in COLUMNS])
    features, target = rows.to_numpy(), np.array(LABELS)[iris.target]

    classifier = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression(**PARAMETERS))])
    found = search(classifier, GRID, features, target)
    chosen = found["best"]["parameters"]
    classifier.set_params(classify__C=chosen["C"])
    metrics = evaluate(classifier, MULTICLASS_METRICS, features, target)
    classifier.fit(features, target)

    confidences = _probabilities(classifier, rows).max(axis=1)
    # Every sixth flower, and the least certain one.
    golden_rows = rows.loc[sorted({*rows.index[::6], int(confidences.argmin())})]
    labels = pd.Series(classifier.predict(features))
    return assemble(
        name=NAME,
        version=version,
        task="multiclass_classification",
        classes={"labels": list(LABELS)},
        model=convert_classifier_pipeline(classifier, NAME, len(COLUMNS)),
        columns=COLUMNS,
        rows=rows,
        training_data={
            "name": "Iris",
            "sha256": hashlib.sha256(_file_content(iris)).hexdigest(),
            "source": "https://scikit-learn.org/stable/datasets/toy_dataset.html#iris-plants-dataset",
            "license": "BSD-3-Clause, as part of scikit-learn",
        },
        parameters={**PARAMETERS, **chosen},
        framework={"name": "scikit-learn", "version": sklearn.__version__},
        converter=SKLEARN_CONVERTER,
        metrics=metrics,
        golden_rows=golden_rows,
        golden_outputs={
            "label": classifier.predict(golden_rows.to_numpy()),
            "probabilities": _probabilities(classifier, golden_rows),
        },
        tolerance=TOLERANCE,
        prediction_statistics={
            "name": "label",
            **share_statistics(labels, LABELS),
            "confidence": numeric_statistics(np.array([shortest_decimal(value) for value in confidences])),
        },
        prose=PROSE,
        search=found,
    )


def _probabilities(classifier: Pipeline, rows: pd.DataFrame) -> np.ndarray:
    return classifier.predict_proba(rows.to_numpy()).astype(np.float32)


def _file_content(iris: sklearn.utils.Bunch) -> bytes:
    return resources.files(iris.data_module).joinpath(iris.filename).read_bytes()
