"""A regression that some rows break; `fragile` beside this file.

It answers x, a text, as a number, plus the logarithm of y. If x is a text that is not a number, ONNX Runtime fails,
and with it the whole run; if y is negative the answer is NaN.

Run with onnx 1.23: python test/support/foreign-models/make_fragile.py
"""

from artifact import value, write_regression
from onnx import TensorProto, helper

graph = helper.make_graph(
    [
        helper.make_node("Cast", ["x"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Log", ["y"], ["logarithm"]),
        helper.make_node("Add", ["number", "logarithm"], ["prediction"]),
    ],
    "fragile",
    [value("x", TensorProto.STRING, [None, 1]), value("y", TensorProto.FLOAT, [None, 1])],
    [value("prediction", TensorProto.FLOAT, [None, 1])],
)
write_regression(graph, {"x": "categorical", "y": "numeric"}, ({"x": "2.5", "y": 1}, 2.5))
