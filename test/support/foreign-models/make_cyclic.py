"""A regression by a tree whose branches lead back into themselves; `cyclic` beside this file.

ONNX Runtime 1.30 loads it. An x above -1 is answered 1; any other goes round in a circle forever.

Run with onnx 1.23: python test/support/foreign-models/make_cyclic.py
"""

import hashlib
import json
from pathlib import Path

from onnx import TensorProto, helper

OPSET, ML_OPSET, IR_VERSION = 17, 1, 8

# Where x <= -1, node 0 leads to 1, 1 to 2, and 2 to 1 again.
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
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
    [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])],
)
model = helper.make_model(
    graph,
    opset_imports=[helper.make_opsetid("ai.onnx.ml", ML_OPSET), helper.make_opsetid("", OPSET)],
    ir_version=IR_VERSION,
)

folder = Path(__file__).parent / "cyclic"
folder.mkdir(exist_ok=True)
contents = model.SerializeToString(deterministic=True)
(folder / "model.onnx").write_bytes(contents)
files = {
    "manifest": {
        "name": "cyclic",
        "version": "1",
        "sha256": hashlib.sha256(contents).hexdigest(),
        "task": "regression",
    },
    "input_schema": {"input_schema": {"columns": [{"name": "x", "type": "numeric"}]}},
    "golden": {"tolerance": 1e-5, "cases": [{"input": {"x": 1}, "output": {"prediction": 1}}]},
}
for name, contents in files.items():
    (folder / f"{name}.json").write_text(json.dumps(contents, indent=1) + "\n")
