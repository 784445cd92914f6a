"""Reference statistics of small columns, whose numbers can be checked by hand."""

import numpy as np
import pandas as pd

from trainer.data import Column
from trainer.reference_statistics import numeric_statistics, reference_statistics

SEX = Column("sex", "boolean", "1 for a man", 1)
PLACE = Column("place", "categorical", "Where", "sea", categories=("sea", "land", "sky"))


def test_a_numeric_column():
    statistics = numeric_statistics(np.array([*range(1, 101), np.nan], dtype=float))
    assert statistics == {
        "type": "numeric",
        "count": 100,
        "missing": 1,
        "minimum": 1,
        "maximum": 100,
        "mean": 50.5,
        "standard_deviation": 28.86607,
        "quantiles": {"0.01": 1, "0.05": 5, "0.25": 25, "0.5": 50, "0.75": 75, "0.95": 95, "0.99": 99},
        "histogram": {
            "edges": [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
            "counts": [9, 10, 10, 10, 10, 10, 10, 10, 10, 11],
        },
    }


def test_equal_deciles_are_one_edge():
    histogram = numeric_statistics(np.array([0.0] * 8 + [0.5, 2.5]))["histogram"]
    assert histogram == {"edges": [0, 0.5, 2.5], "counts": [8, 2]}


def test_a_constant_column_has_one_bin():
    histogram = numeric_statistics(np.array([7.0, 7.0]))["histogram"]
    assert histogram == {"edges": [7, 7], "counts": [2]}


def test_shares_are_those_of_the_values_that_are_not_missing():
    rows = pd.DataFrame({"sex": [1, 0, 0, np.nan, 0], "place": ["sea", "land", "sea", "", "sea"]})
    statistics = reference_statistics([SEX, PLACE], rows, {})
    assert statistics["rows"] == 5
    assert statistics["features"] == {
        "sex": {"type": "boolean", "count": 4, "missing": 1, "shares": {"0": 0.75, "1": 0.25}},
        "place": {
            "type": "categorical",
            "count": 4,
            "missing": 1,
            "shares": {"sea": 0.75, "land": 0.25, "sky": 0},
        },
    }
