"""A regression that some rows break; `fragile` beside this file.

It answers x, a text, as a number, and the logarithm of y on top. If x is a text that is not a number, ONNX Runtime fails,
and with it the whole run; where y is negative the answer is NaN.

Run with onnx 1.23: python test/support/foreign-models/make_fragile.py
"""

import hashlib
import json
from pathlib import Path

from onnx import TensorProto, checker, helper

OPSET, IR_VERSION = 17, 8


def value(name: str, kind: int) -> object:
    return helper.make_tensor_value_info(name, kind, [None, 1])


graph = helper.make_graph(
    [
        helper.make_node("Cast", ["x"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Log", ["y"], ["logarithm"]),
        helper.make_node("Add", ["number", "logarithm"], ["prediction"]),
    ],
    "fragile",
    [value("x", TensorProto.STRING), value("y", TensorProto.FLOAT)],
    [value("prediction", TensorProto.FLOAT)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
checker.check_model(model, full_check=True)

folder = Path(__file__).parent / "fragile"
folder.mkdir(exist_ok=True)
contents = model.SerializeToString(deterministic=True)
(folder / "model.onnx").write_bytes(contents)
files = {
    "manifest": {
        "name": "fragile",
        "version": "1",
        "sha256": hashlib.sha256(contents).hexdigest(),
        "task": "regression",
    },
    "input_schema": {
        "input_schema": {"columns": [{"name": "x", "type": "categorical"}, {"name": "y", "type": "numeric"}]}
    },
    "golden": {"tolerance": 1e-5, "cases": [{"input": {"x": "2.5", "y": 1}, "output": {"prediction": 2.5}}]},
}
for name, contents in files.items():
    (folder / f"{name}.json").write_text(json.dumps(contents, indent=1) + "\n")
