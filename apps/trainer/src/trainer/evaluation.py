"""How good a model is on rows it has not seen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, cross_validate

FOLDS = 5
REPEATS = 10
SEED = 0


@dataclass(frozen=True)
class Metric:
    """A metric by its own name and by scikit-learn's, which negates metrics where less is better (`sign` -1).

    A metric with a `unit` is in the target's unit and is rounded to whole units.
    """

    name: str
    scorer: str
    sign: int = 1
    unit: str = ""

    def rounded(self, value: float) -> float | int:
        return round(value) if self.unit else round(value, 4)


BINARY_METRICS = [
    Metric("roc_auc", "roc_auc"),
    Metric("accuracy", "accuracy"),
    Metric("log_loss", "neg_log_loss", -1),
    Metric("brier", "neg_brier_score", -1),
]
MULTICLASS_METRICS = [
    Metric("roc_auc_one_versus_rest", "roc_auc_ovr"),
    Metric("accuracy", "accuracy"),
    Metric("log_loss", "neg_log_loss", -1),
]


def regression_metrics(unit: str) -> list[Metric]:
    """The metrics of a regression whose target is in `unit`."""
    return [
        Metric("r2", "r2"),
        Metric("root_mean_squared_error", "neg_root_mean_squared_error", -1, unit),
        Metric("mean_absolute_error", "neg_mean_absolute_error", -1, unit),
    ]


def evaluate(
    model: BaseEstimator, metrics: list[Metric], features: np.ndarray | pd.DataFrame, target: np.ndarray
) -> list[dict]:
    """Cross-validate `model` on `features` [rows, columns] and `target` [rows].

    `model` itself stays unchanged; copies of it are fitted. Every class of a classifier needs at least FOLDS rows.
    """
    kind, split = ("stratified", RepeatedStratifiedKFold) if is_classifier(model) else ("shuffled", RepeatedKFold)
    folds = split(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    scoring = {metric.name: metric.scorer for metric in metrics}
    scores = cross_validate(model, features, target, cv=folds, scoring=scoring, error_score="raise")
    how = (
        f"Mean and standard deviation over {FOLDS * REPEATS} held-out folds: "
        f"{kind} {FOLDS}-fold cross-validation, repeated {REPEATS} times, seed {SEED}."
    )
    how += "".join(f" Errors in {unit}." for unit in {metric.unit for metric in metrics if metric.unit})
    return [
        {
            "name": metric.name,
            "value": metric.rounded(float(metric.sign * scores[f"test_{metric.name}"].mean())),
            "standard_deviation": metric.rounded(float(scores[f"test_{metric.name}"].std(ddof=1))),
            "how": how,
        }
        for metric in metrics
    ]


def metric_text(value: float | int) -> str:
    """A metric as people read it: whole units unchanged, everything else with four decimals."""
    return str(value) if isinstance(value, int) else f"{value:.4f}"
