"""A tree regression whose branches form a cycle; `cyclic` beside this file.

ONNX Runtime 1.30 loads it. For an x above -1 it answers 1; any other x loops forever.

Run with onnx 1.23: python test/support/foreign-models/make_cyclic.py
"""

from artifact import OPSETS, value, write_regression
from onnx import TensorProto, helper

# If x <= -1, node 0 leads to 1, 1 to 2, and 2 to 1 again.
BRANCHES = {0: (1, 3), 1: (2, 4), 2: (1, 5)}
LEAVES = {3: 1.0, 4: 2.0, 5: 3.0}
NODES = len(BRANCHES) + len(LEAVES)

tree = helper.make_node(
    "TreeEnsembleRegressor",
    ["x"],
    ["prediction"],
    domain="ai.onnx.ml",
    nodes_treeids=[0] * NODES,
    nodes_nodeids=list(range(NODES)),
    nodes_featureids=[0] * NODES,
    nodes_modes=["BRANCH_LEQ"] * len(BRANCHES) + ["LEAF"] * len(LEAVES),
    nodes_values=[-1.0] * NODES,
    nodes_hitrates=[1.0] * NODES,
    nodes_missing_value_tracks_true=[0] * NODES,
    nodes_truenodeids=[BRANCHES.get(node, (0, 0))[0] for node in range(NODES)],
    nodes_falsenodeids=[BRANCHES.get(node, (0, 0))[1] for node in range(NODES)],
    target_treeids=[0] * len(LEAVES),
    target_nodeids=list(LEAVES),
    target_ids=[0] * len(LEAVES),
    target_weights=list(LEAVES.values()),
    n_targets=1,
)
graph = helper.make_graph(
    [tree],
    "cyclic",
    [value("x", TensorProto.FLOAT, [None, 1])],
    [value("prediction", TensorProto.FLOAT, [None, 1])],
)
opsets = [helper.make_opsetid("ai.onnx.ml", 1), *OPSETS]
write_regression(graph, {"x": "numeric"}, ({"x": 1}, 1), opsets)
