"""The search on data whose best candidate is known in advance."""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from trainer.search import search

# "Exactly one of two": a single split says nothing, two in a row say everything.
FEATURES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 25)
TARGET = FEATURES.sum(axis=1) % 2
GRID = {"tree__max_depth": [1, 2, 3]}


@pytest.fixture
def model() -> Pipeline:
    return Pipeline([("tree", DecisionTreeClassifier(random_state=0))])


def test_the_first_of_the_best_candidates_wins(model: Pipeline):
    found = search(model, GRID, FEATURES, TARGET)
    assert found["best"] == {"parameters": {"max_depth": 2}, "value": 0.0}
    assert found["grid"] == {"max_depth": [1, 2, 3]}
    assert (found["candidates"], found["folds"], found["repeats"], found["metric"]) == (3, 5, 3, "log_loss")
    assert "published" not in found


def test_published_parameters_are_ranked_and_compared_on_the_same_folds(model: Pipeline):
    published = search(model, GRID, FEATURES, TARGET, published={"max_depth": 1})["published"]
    assert (published["parameters"], published["rank"]) == ({"max_depth": 1}, 3)
    assert published["difference"] == published["value"] > 0.6


def test_a_winner_that_is_the_published_one_is_no_distance_away(model: Pipeline):
    published = search(model, GRID, FEATURES, TARGET, published={"max_depth": 2})["published"]
    assert (published["rank"], published["difference"]) == (1, 0)
