"""A regression that takes about 200 ms per row and answers the sum of its two features; `slow` beside this file.

Its time goes into a Loop of matrix products, once more for every row. The matrix is the one whose elements are all
1/256: its product with itself is itself, exactly in float32, so the answer does not depend on how often it is
multiplied. How often depends on the number of rows, which keeps ONNX Runtime from computing the loop at load.

Run with onnx 1.23: python test/support/foreign-models/make_slow.py
"""

import numpy as np
from artifact import constant, value, write_regression
from onnx import TensorProto, helper, numpy_helper

SIZE = 256
PRODUCTS_PER_ROW = 680

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
write_regression(graph, {"a": "numeric", "b": "numeric"}, ({"a": 1.5, "b": 2}, 3.5))
