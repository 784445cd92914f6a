"""A regression that takes about 200 ms per row and answers the sum of its two features; `slow` beside this file.

Its time goes into a Loop of matrix products, once more for every row. The matrix is the one whose elements are all
1/256: its product with itself is itself, exactly in float32, so that the answer does not depend on how often it is
multiplied. How often depends on the number of rows, which keeps ONNX Runtime from computing the loop at load.

Run with onnx 1.23: python test/support/foreign-models/make_slow.py
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

SIZE = 256
PRODUCTS_PER_ROW = 680
OPSET, IR_VERSION = 17, 8


def constant(name: str, value) -> object:
    return numpy_helper.from_array(np.array(value), name)


def value(name: str, kind: int, shape: list) -> object:
    return helper.make_tensor_value_info(name, kind, shape)


matrix_shape = [SIZE, SIZE]
body = helper.make_graph(
    [
        helper.make_node("MatMul", ["before", "averaging"], ["after"]),
        helper.make_node("Identity", ["goes_on"], ["goes_on_as_before"]),
    ],
    "multiply",
    [
        value("iteration", TensorProto.INT64, []),
        value("goes_on", TensorProto.BOOL, []),
        value("before", TensorProto.FLOAT, matrix_shape),
    ],
    [value("goes_on_as_before", TensorProto.BOOL, []), value("after", TensorProto.FLOAT, matrix_shape)],
)
graph = helper.make_graph(
    [
        helper.make_node(
            "ConstantOfShape", ["matrix_shape"], ["averaging"], value=numpy_helper.from_array(np.float32([1 / SIZE]))
        ),
        helper.make_node("Shape", ["features"], ["rows"], start=0, end=1),
        helper.make_node("Mul", ["rows", "products_per_row"], ["products"]),
        helper.make_node("Squeeze", ["products"], ["times"]),
        helper.make_node("Loop", ["times", "", "averaging"], ["product"], body=body),
        helper.make_node("ReduceSum", ["product"], ["size"], keepdims=0),
        helper.make_node("Div", ["size", "expected_size"], ["one"]),
        helper.make_node("ReduceSum", ["features", "columns_axis"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "one"], ["prediction"]),
    ],
    "slow",
    [value("features", TensorProto.FLOAT, [None, 2])],
    [value("prediction", TensorProto.FLOAT, [None, 1])],
    [
        constant("matrix_shape", matrix_shape),
        constant("products_per_row", [PRODUCTS_PER_ROW]),
        constant("expected_size", np.float32(SIZE)),
        constant("columns_axis", [1]),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
checker.check_model(model, full_check=True)

folder = Path(__file__).parent / "slow"
folder.mkdir(exist_ok=True)
contents = model.SerializeToString(deterministic=True)
(folder / "model.onnx").write_bytes(contents)
files = {
    "manifest": {
        "name": "slow",
        "version": "1",
        "sha256": hashlib.sha256(contents).hexdigest(),
        "task": "regression",
    },
    "input_schema": {"input_schema": {"columns": [{"name": name, "type": "numeric"} for name in ("a", "b")]}},
    "golden": {"tolerance": 1e-5, "cases": [{"input": {"a": 1.5, "b": 2}, "output": {"prediction": 3.5}}]},
}
for name, contents in files.items():
    (folder / f"{name}.json").write_text(json.dumps(contents, indent=1) + "\n")
