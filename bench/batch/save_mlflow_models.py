"""Saves the two committed models as MLflow models: save_mlflow_models.py <model-artifacts> <output folder>.

mlflow.onnx runs neither graph unchanged, so each copy gets the minimal change: heart-failure outputs the
probability of the second class alone, since mlflow.onnx wants one value per row and output; california-housing takes
inputs without a second dimension, since mlflow.onnx passes a column as a vector. Trees and coefficients stay.
"""

import json
import sys
from pathlib import Path

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from onnx import TensorProto, helper, numpy_helper


def probability_alone(model: onnx.ModelProto) -> None:
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "second"))
    graph.node.append(
        helper.make_node(
            "ArrayFeatureExtractor", ["probabilities", "second"], ["probability"], domain="ai.onnx.ml"
        )
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1]))


def inputs_as_vectors(model: onnx.ModelProto) -> None:
    graph = model.graph
    for given in graph.input:
        column = f"{given.name}_column"
        for node in graph.node:
            node.input[:] = [column if name == given.name else name for name in node.input]
        del given.type.tensor_type.shape.dim[1:]
    for given in graph.input:
        graph.node.insert(
            0, helper.make_node("Unsqueeze", [given.name], [f"{given.name}_column"], axes=[1])
        )


def signature(artifact: Path) -> ModelSignature:
    columns = json.loads((artifact / "input_schema.json").read_text())["input_schema"]["columns"]
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(
                    "string" if column["type"] == "categorical" else "double",
                    column["name"],
                    required=not column["nullable"],
                )
                for column in columns
            ]
        )
    )


def main() -> None:
    artifacts, folder = map(Path, sys.argv[1:])
    for name, adapt in {
        "heart-failure": probability_alone,
        "california-housing": inputs_as_vectors,
    }.items():
        artifact = artifacts / name / "1"
        model = onnx.load(str(artifact / "model.onnx"))
        adapt(model)
        onnx.checker.check_model(model)
        mlflow.onnx.save_model(model, str(folder / name), signature=signature(artifact))


main()
