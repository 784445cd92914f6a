"""A regression that takes as much time and memory as a row asks for; `insatiable` beside this file.

It answers 0, after as many iterations of an empty loop as the largest `turns` of the rows, and after filling as
many `megabytes`, 64 at a time, all of which it holds at once. With small numbers it is a quick model. These are
features, so none of this is known before a row is predicted, and ONNX Runtime cannot compute it at load.

Run with onnx 1.23: python test/support/foreign-models/make_insatiable.py
"""

import numpy as np
from artifact import constant, value, write_regression
from onnx import TensorProto, helper, numpy_helper

BLOCK_MEGABYTES = 64

loop_inputs = [value("iteration", TensorProto.INT64, []), value("goes_on", TensorProto.BOOL, [])]
goes_on = helper.make_node("Identity", ["goes_on"], ["goes_on_as_before"])
turn = helper.make_graph(
    [helper.make_node("Identity", ["before"], ["after"]), goes_on],
    "turn",
    [*loop_inputs, value("before", TensorProto.FLOAT, [])],
    [value("goes_on_as_before", TensorProto.BOOL, []), value("after", TensorProto.FLOAT, [])],
)
fill = helper.make_graph(
    [
        helper.make_node(
            "ConstantOfShape", ["block_shape"], ["block"], value=numpy_helper.from_array(np.float32([1e-30]))
        ),
        goes_on,
    ],
    "fill",
    loop_inputs,
    [value("goes_on_as_before", TensorProto.BOOL, []), value("block", TensorProto.FLOAT, [None])],
)
graph = helper.make_graph(
    [
        helper.make_node("ReduceMax", ["features"], ["wanted"], axes=[0], keepdims=0),
        helper.make_node("Cast", ["wanted"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Gather", ["whole", "first"], ["turns"]),
        helper.make_node("Gather", ["whole", "second"], ["megabytes"]),
        helper.make_node("Div", ["megabytes", "block_megabytes"], ["blocks"]),
        helper.make_node("Loop", ["turns", "", "zero"], ["turned"], body=turn),
        helper.make_node("Loop", ["blocks", ""], ["filled"], body=fill),
        helper.make_node("ReduceSum", ["filled"], ["sum"], keepdims=0),
        helper.make_node("Floor", ["sum"], ["nothing"]),
        helper.make_node("Add", ["turned", "nothing"], ["still_nothing"]),
        helper.make_node("ReduceMax", ["features"], ["of_each_row"], axes=[1], keepdims=1),
        helper.make_node("Cast", ["still_nothing"], ["as_float64"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["of_each_row", "as_float64"], ["prediction"]),
    ],
    "insatiable",
    # float64, so that `turns` may be nearly as large as an int64.
    [value("features", TensorProto.DOUBLE, [None, 2])],
    [value("prediction", TensorProto.DOUBLE, [None, 1])],
    [
        constant("first", np.int64(0)),
        constant("second", np.int64(1)),
        constant("block_megabytes", np.int64(BLOCK_MEGABYTES)),
        constant("block_shape", np.int64([BLOCK_MEGABYTES * 2**20 // 4])),
        constant("zero", np.float32(0)),
    ],
)
write_regression(graph, {"turns": "numeric", "megabytes": "numeric"}, ({"turns": 1000, "megabytes": 0}, 0))
