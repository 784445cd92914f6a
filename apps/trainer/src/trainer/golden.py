"""Golden cases: rows with the training framework's own answers, for every other runtime to reproduce."""

import math

import numpy as np

from trainer.data import Column
from trainer.onnx_model import infer

TOLERANCE = 1e-6


def golden_cases(columns: list[Column], rows: np.ndarray, probabilities: np.ndarray) -> dict:
    """Build the document `golden.json`.

    `rows`: float64 [cases, columns], NaN where a value is missing (written as null).
    `probabilities`: float32 [cases, classes], written as the shortest decimals that read back as the same float32.
    """
    names = [column.name for column in columns]
    return {
        "tolerance": TOLERANCE,
        "cases": [
            {
                "input": dict(zip(names, map(_json_number, row.tolist()), strict=True)),
                "output": {"probabilities": [float(str(value)) for value in case]},
            }
            for row, case in zip(rows, probabilities, strict=True)
        ],
    }


def _json_number(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() else value


def largest_difference(model: bytes, golden: dict) -> float:
    """Run the ONNX model on the golden inputs; the largest absolute difference from the golden outputs."""
    cases = golden["cases"]
    features = np.array([list(case["input"].values()) for case in cases], dtype=np.float32)
    outputs = infer(model, features)
    return max(
        float(np.abs(outputs[name] - np.array([case["output"][name] for case in cases])).max())
        for name in cases[0]["output"]
    )
