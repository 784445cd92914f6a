"""Writes the documents of an artifact for a model that a pipeline has trained."""

import hashlib
from typing import Literal

import numpy as np
import pandas as pd

from trainer.artifact import Artifact
from trainer.data import Column
from trainer.golden import golden_cases
from trainer.model_card import Prose, render_model_card
from trainer.onnx_model import operator_sets, signature
from trainer.reference_statistics import reference_statistics


def assemble(
    *,
    name: str,
    version: str,
    task: Literal["binary_classification", "multiclass_classification", "regression"],
    classes: dict,
    model: bytes,
    columns: list[Column],
    rows: pd.DataFrame,
    training_data: dict,
    parameters: dict,
    framework: dict,
    converter: dict,
    metrics: list[dict],
    golden_rows: pd.DataFrame,
    golden_outputs: dict[str, np.ndarray],
    tolerance: float,
    prediction_statistics: dict,
    prose: Prose,
    search: dict | None = None,
) -> Artifact:
    """The complete artifact of a trained model; dictionaries go into the manifest as they are.

    `rows` and `golden_rows` hold `columns` in order, `golden_outputs` the framework's own answers to the latter.
    `classes` holds a classifier's `labels`, and whatever else the manifest says about them.
    """
    manifest = {
        "name": name,
        "version": version,
        "task": task,
        **classes,
        **signature(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "training_data": {**training_data, "rows": len(rows)},
        "parameters": parameters,
        "framework": framework,
        "converter": converter,
        "opset": operator_sets(model),
        **({"search": search} if search else {}),
        "metrics": metrics,
    }
    golden = golden_cases(golden_rows, golden_outputs, tolerance)
    statistics = reference_statistics(columns, rows, prediction_statistics)
    card = render_model_card(prose, manifest, golden, statistics, columns)
    return Artifact(model, input_schema(columns), manifest, golden, statistics, card)


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
