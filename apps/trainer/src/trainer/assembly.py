"""Writes the documents of an artifact about a model that a pipeline has trained."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trainer.artifact import Artifact
from trainer.data import Column
from trainer.golden import golden_cases
from trainer.model_card import Prose, render_model_card
from trainer.onnx_model import operator_sets, signature
from trainer.reference_statistics import reference_statistics


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained model and what is known about it; dictionaries go into the manifest as they are.

    `rows` and `golden_rows` hold `columns` in order, `golden_outputs` the framework's own answers to the latter.
    `classes` holds a classifier's `labels`, and what else the manifest says about them.
    """

    name: str
    version: str
    task: Literal["binary_classification", "multiclass_classification", "regression"]
    classes: dict
    model: bytes
    columns: list[Column]
    rows: pd.DataFrame
    training_data: dict
    parameters: dict
    framework: dict
    converter: dict
    metrics: list[dict]
    golden_rows: pd.DataFrame
    golden_outputs: dict[str, np.ndarray]
    tolerance: float
    prediction_statistics: dict
    prose: Prose
    search: dict | None = None


def assemble(trained: TrainedModel) -> Artifact:
    """The complete artifact."""
    manifest = {
        "name": trained.name,
        "version": trained.version,
        "task": trained.task,
        **trained.classes,
        **signature(trained.model),
        "sha256": hashlib.sha256(trained.model).hexdigest(),
        "training_data": {**trained.training_data, "rows": len(trained.rows)},
        "parameters": trained.parameters,
        "framework": trained.framework,
        "converter": trained.converter,
        "opset": operator_sets(trained.model),
        **({"search": trained.search} if trained.search else {}),
        "metrics": trained.metrics,
    }
    golden = golden_cases(trained.golden_rows, trained.golden_outputs, trained.tolerance)
    statistics = reference_statistics(trained.columns, trained.rows, trained.prediction_statistics)
    card = render_model_card(trained.prose, manifest, golden, statistics, trained.columns)
    return Artifact(trained.model, input_schema(trained.columns), manifest, golden, statistics, card)


def input_schema(columns: list[Column]) -> dict:
    """The schema of the rows a model accepts; the order of the columns is the order of its features."""
    return {
        "input_schema": {
            "columns": [
                {
                    "name": column.name,
                    "type": column.type,
                    "nullable": column.nullable,
                    **({"categories": list(column.categories)} if column.categories else {}),
                    "description": column.description,
                    "example": column.example,
                }
                for column in columns
            ]
        }
    }
