"""Version 2 of heart-failure for tests that replace version 1; `heart-failure-2` beside this file.

Every leaf of version 1 is doubled: for logit x it answers 2x, so its numbers follow from version 1's golden values.
The threshold differs as well: the tutorial's patient is 0.5249 and "0" here, and 0.5125 and "1" in version 1.

Run with onnx 1.23: python test/support/foreign-models/make_doubled.py
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx

here = Path(__file__).parent
source = here / "../../../model-artifacts/heart-failure/1"
folder = here / "heart-failure-2"
folder.mkdir(exist_ok=True)

model = onnx.load(source / "model.onnx")
for node in model.graph.node:
    for attribute in node.attribute:
        if attribute.name == "class_weights":
            attribute.floats[:] = [2 * weight for weight in attribute.floats]
graph = model.SerializeToString(deterministic=True)


def doubled(probability: float) -> float:
    odds = (probability / (1 - probability)) ** 2
    return float(np.float32(odds / (1 + odds)))


golden = json.loads((source / "golden.json").read_text())
for case in golden["cases"]:
    probability = doubled(case["output"]["probabilities"][1])
    case["output"] = {"probabilities": [float(np.float32(1 - probability)), probability]}

kept = ["name", "task", "labels"]
manifest = {key: value for key, value in json.loads((source / "manifest.json").read_text()).items() if key in kept}
manifest |= {"version": "2", "threshold": 0.6, "sha256": hashlib.sha256(graph).hexdigest()}

(folder / "model.onnx").write_bytes(graph)
(folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
(folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
(folder / "input_schema.json").write_bytes((source / "input_schema.json").read_bytes())
