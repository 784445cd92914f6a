"""Golden cases: rows with the training framework's own answers, for every other runtime to reproduce."""

import math

import numpy as np
import pandas as pd

from trainer import TrainerError
from trainer.data import json_value
from trainer.onnx_model import infer

PREDICTION_DECIMALS = 4


def golden_cases(rows: pd.DataFrame, outputs: dict[str, np.ndarray], tolerance: float) -> dict:
    """Build the document `golden.json`.

    `rows`: the model's columns in order, NaN or "" if a value is missing (written as null).
    `outputs`: the framework's answers by the name of the output, one per row. `label` holds strings; float32 values
    are written as the shortest decimals that read back as the same float32, float64 values are rounded.
    """
    inputs = [{name: json_value(value) for name, value in row.items()} for row in rows.to_dict("records")]
    answers = [dict(zip(outputs, values, strict=True)) for values in zip(*outputs.values(), strict=True)]
    return {
        "tolerance": tolerance,
        "cases": [
            {"input": row, "output": {name: _json_output(value) for name, value in answer.items()}}
            for row, answer in zip(inputs, answers, strict=True)
        ],
    }


def _json_output(value: np.ndarray | np.generic) -> list | str | float:
    if isinstance(value, np.ndarray):
        return [_json_output(part) for part in value]
    if isinstance(value, str):
        return str(value)
    return shortest_decimal(value) if isinstance(value, np.float32) else round(float(value), PREDICTION_DECIMALS)


def shortest_decimal(value: np.float32) -> float:
    """The float64 whose decimal notation is the shortest that reads back as the same float32."""
    return float(str(value))


def largest_difference(model: bytes, golden: dict) -> float:
    """Run the ONNX model on the golden inputs; the largest absolute difference from the golden outputs."""
    cases = golden["cases"]
    rows = pd.DataFrame([case["input"] for case in cases])
    outputs = {name: np.array([case["output"][name] for case in cases]) for name in cases[0]["output"]}
    return largest_output_difference(model, rows, outputs)


def largest_output_difference(
    model: bytes, rows: pd.DataFrame, outputs: dict[str, np.ndarray], batches: tuple[int | None, ...] = (1, None)
) -> float:
    """The largest absolute difference of the ONNX model from `outputs`, in batches of each size (None: all rows).

    A different label counts as an infinite difference.
    """
    differences = []
    for batch_rows in batches:
        found = infer(model, rows, batch_rows)
        for name, expected in outputs.items():
            if expected.dtype.kind in "fi":
                differences.append(float(np.abs(found[name].reshape(expected.shape) - expected).max()))
            else:
                differences.append(0.0 if (found[name] == expected).all() else math.inf)
    # Not max(): it may ignore a NaN.
    return float(np.max(differences))


def check_difference(difference: float, tolerance: float, rows: str) -> None:
    """Raise TrainerError if `difference`, found on the rows that `rows` describes, exceeds `tolerance` or is NaN."""
    if not difference <= tolerance:
        raise TrainerError(f"the ONNX model differs from the {rows} by {difference:.1e}, over {tolerance:g}")
