"""How good a model is on rows it has not seen."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate

FOLDS = 5
REPEATS = 10
SEED = 0
DECIMALS = 4

# scikit-learn negates the scores of which less is better.
BINARY_SCORERS = {
    "roc_auc": ("roc_auc", 1),
    "accuracy": ("accuracy", 1),
    "log_loss": ("neg_log_loss", -1),
    "brier": ("neg_brier_score", -1),
}


def evaluate_binary_classifier(model: ClassifierMixin, features: np.ndarray, target: np.ndarray) -> list[dict]:
    """Cross-validate `model` on `features` [rows, columns] and `target` [rows] of 0 and 1.

    `model` itself stays as it is; copies of it are fitted. Both classes need at least FOLDS rows.
    """
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    scoring = {name: scorer for name, (scorer, _) in BINARY_SCORERS.items()}
    scores = cross_validate(model, features, target, cv=folds, scoring=scoring, error_score="raise")
    how = (
        f"Mean and standard deviation over {FOLDS * REPEATS} held-out folds: "
        f"stratified {FOLDS}-fold cross-validation, repeated {REPEATS} times, seed {SEED}."
    )
    return [
        {
            "name": name,
            "value": round(float(sign * scores[f"test_{name}"].mean()), DECIMALS),
            "standard_deviation": round(float(scores[f"test_{name}"].std(ddof=1)), DECIMALS),
            "how": how,
        }
        for name, (_, sign) in BINARY_SCORERS.items()
    ]
