"""What the scripts beside this one have in common: artifacts with a minimal manifest."""

import hashlib
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

IR_VERSION = 8
OPSETS = [helper.make_opsetid("", 17)]


def constant(name: str, value) -> TensorProto:
    return numpy_helper.from_array(np.array(value), name)


def value(name: str, kind: int, shape: list) -> object:
    return helper.make_tensor_value_info(name, kind, shape)


def write(name: str, model, task: dict, columns: list[dict], cases: list[tuple[dict, dict]]) -> None:
    """The folder with this name beside this file."""
    model.graph.name = name
    folder = Path(__file__).parent / name
    folder.mkdir(exist_ok=True)
    graph = model.SerializeToString(deterministic=True)
    (folder / "model.onnx").write_bytes(graph)
    files = {
        "manifest": {"name": name, "version": "1", "sha256": hashlib.sha256(graph).hexdigest()} | task,
        "input_schema": {"input_schema": {"columns": columns}},
        "golden": {"tolerance": 1e-5, "cases": [{"input": row, "output": output} for row, output in cases]},
    }
    for file, content in files.items():
        (folder / f"{file}.json").write_text(json.dumps(content, indent=1) + "\n")


def write_regression(graph, columns: dict[str, str], case: tuple[dict, float], opsets=OPSETS) -> None:
    """A handmade graph, with one golden value; `columns` are types by their names."""
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    checker.check_model(model, full_check=True)
    row, prediction = case
    named = [{"name": name, "type": kind} for name, kind in columns.items()]
    write(graph.name, model, {"task": "regression"}, named, [(row, {"prediction": prediction})])
