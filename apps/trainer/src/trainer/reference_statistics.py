"""A description of the training data and of the model's answers to them: the baseline for later drift checks.

Quantiles and histogram edges are values that occur (no interpolation), and the means are rounded, so that the same
data give the same numbers on every machine.
"""

import numpy as np
import pandas as pd

from trainer.data import Column, json_value

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
DECILES = np.arange(11) / 10
SIGNIFICANT_DIGITS = 8
SHARE_DECIMALS = 6


def reference_statistics(columns: list[Column], rows: pd.DataFrame, prediction: dict) -> dict:
    """Build the document `reference_statistics.json`; `prediction` describes the model's answers to `rows`.

    Every column needs a value.
    """
    features = {column.name: _feature_statistics(column, rows[column.name]) for column in columns}
    return {"rows": len(rows), "features": features, "prediction": prediction}


def _feature_statistics(column: Column, values: pd.Series) -> dict:
    if column.type == "numeric":
        return numeric_statistics(values.to_numpy())
    if column.type == "categorical":
        return share_statistics(values, column.categories)
    named = values.map({0.0: "0", 1.0: "1"}).fillna("")
    return {**share_statistics(named, ("0", "1")), "type": "boolean"}


def numeric_statistics(values: np.ndarray) -> dict:
    """Of float64 `values`, NaN if one is missing: `count` of those that are not, range, moments, quantiles and a
    histogram by deciles, equal ones merged. A bin includes its lower edge, not its upper one; the last includes both.
    """
    present = values[~np.isnan(values)]
    edges = np.unique(_observed_quantiles(present, DECILES))
    # A constant has one edge; a histogram needs two.
    edges = edges if edges.size > 1 else edges.repeat(2)
    counts, _ = np.histogram(present, edges)
    return {
        "type": "numeric",
        "count": len(present),
        "missing": len(values) - len(present),
        "minimum": json_value(float(present.min())),
        "maximum": json_value(float(present.max())),
        "mean": _rounded(present.mean()),
        "standard_deviation": _rounded(present.std()),
        "quantiles": {
            str(share): json_value(float(value))
            for share, value in zip(QUANTILES, _observed_quantiles(present, QUANTILES), strict=True)
        },
        "histogram": {"edges": [json_value(edge) for edge in edges.tolist()], "counts": counts.tolist()},
    }


def share_statistics(values: pd.Series, categories: tuple[str, ...]) -> dict:
    """Of strings, "" if one is missing: the share of each category among the others."""
    count = int((values != "").sum())
    shares = {name: round(int((values == name).sum()) / count, SHARE_DECIMALS) for name in categories}
    return {"type": "categorical", "count": count, "missing": len(values) - count, "shares": shares}


def _observed_quantiles(values: np.ndarray, shares: np.ndarray | tuple) -> np.ndarray:
    return np.quantile(values, shares, method="inverted_cdf")


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
