"""Chooses parameters by cross-validation over a grid."""

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold

FOLDS = 5
REPEATS = 3
# Different folds from those of the metrics, whose seed is 0.
SEED = 1
METRIC = "log_loss"
# Candidates that differ by less are equal: the last digits depend on the processor.
DECIMALS = 6


def search(
    model: BaseEstimator,
    grid: dict[str, list],
    features: np.ndarray,
    target: np.ndarray,
    published: dict | None = None,
) -> dict:
    """Evaluate every candidate of `grid` on the same held-out folds; the one with the lowest mean log loss is best.

    Write every list of the grid from simple to complex: of equal candidates the first is best. `published` is the
    candidate of the grid that is used whatever the search finds; its distance from the best is then part of the
    answer, which is the manifest's `search`. Only the last part of a parameter's name is kept: `classify__C`
    becomes `C`.
    """
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    candidates = GridSearchCV(
        model, grid, scoring="neg_log_loss", cv=folds, refit=False, n_jobs=-1, error_score="raise"
    )
    with joblib.parallel_config(backend="threading"):
        results = candidates.fit(features, target).cv_results_
    # [candidates, folds]
    losses = -np.column_stack([results[f"split{fold}_test_score"] for fold in range(FOLDS * REPEATS)])
    means = losses.mean(axis=1).round(DECIMALS)
    best = int(means.argmin())
    parameters = [_short_names(candidate) for candidate in results["params"]]

    document = {
        "grid": _short_names(grid),
        "candidates": len(means),
        "folds": FOLDS,
        "repeats": REPEATS,
        "seed": SEED,
        "metric": METRIC,
        "best": {"parameters": parameters[best], "value": _rounded(means[best])},
        "how": (
            f"Of {len(means)} candidates, the lowest mean log loss over {FOLDS * REPEATS} held-out folds: "
            f"stratified {FOLDS}-fold cross-validation, repeated {REPEATS} times, seed {SEED}."
        ),
    }
    if published is not None:
        used = parameters.index(published)
        differences = losses[used] - losses[best]
        document["published"] = {
            "parameters": parameters[used],
            "value": _rounded(means[used]),
            "rank": int((means < means[used]).sum()) + 1,
            "difference": _rounded(differences.mean()),
            "difference_standard_deviation": _rounded(differences.std(ddof=1)),
        }
    return document


def _short_names(parameters: dict) -> dict:
    return {name.rsplit("__", 1)[-1]: parameters[name] for name in sorted(parameters)}


def _rounded(value: float) -> float:
    return round(float(value), 4)
