"""From a fitted model to ONNX, and back to numbers through ONNX Runtime."""

import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pandas as pd
import skl2onnx
from onnxmltools.convert import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx.common.data_types import FloatTensorType as SklearnFloatTensorType
from skl2onnx.common.data_types import StringTensorType as SklearnStringTensorType
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

from trainer.data import Column

XGBOOST_CONVERTER = {"name": "onnxmltools", "version": onnxmltools.__version__}
SKLEARN_CONVERTER = {"name": "skl2onnx", "version": skl2onnx.__version__}
XGBOOST_OPSET = 15
SKLEARN_OPSETS = {"": 11, "ai.onnx.ml": 1}

# The data types of the Open Inference Protocol.
DATATYPES = {
    onnx.TensorProto.FLOAT: "FP32",
    onnx.TensorProto.INT64: "INT64",
    onnx.TensorProto.STRING: "BYTES",
}


def convert_xgboost_classifier(classifier: XGBClassifier, name: str, feature_count: int) -> bytes:
    """Convert a classifier fitted on a plain array (no column names) to a serialized ONNX model.

    Input `features`: float32 [rows, feature_count], NaN if a value is missing.
    Outputs `label`: int64 [rows], and `probabilities`: float32 [rows, classes].
    The same classifier and name give the same bytes; without a name, onnxmltools would draw a random one.
    """
    features = FloatTensorType([None, feature_count])
    model = convert_xgboost(classifier, name=name, initial_types=[("features", features)], target_opset=XGBOOST_OPSET)
    return _serialize(model)


def convert_classifier_pipeline(pipeline: Pipeline, name: str, feature_count: int) -> bytes:
    """Convert a scikit-learn classifier of string labels, fitted on a plain array, to a serialized ONNX model.

    Input `features`: float32 [rows, feature_count].
    Outputs `label`: string [rows], and `probabilities`: float32 [rows, classes].
    """
    return _convert_pipeline(pipeline, name, [("features", SklearnFloatTensorType([None, feature_count]))])


def convert_regressor_pipeline(pipeline: Pipeline, name: str, columns: list[Column]) -> bytes:
    """Convert a scikit-learn regressor, fitted on a table of `columns`, to a serialized ONNX model.

    One input for each column, named like it: string [rows, 1] for a categorical one, else float32 [rows, 1], NaN
    if a value is missing. Output `prediction`: float32 [rows, 1].
    """
    types = {"categorical": SklearnStringTensorType, "numeric": SklearnFloatTensorType}
    inputs = [(column.name, types[column.type]([None, 1])) for column in columns]
    return _convert_pipeline(pipeline, name, inputs)


def _convert_pipeline(pipeline: Pipeline, name: str, inputs: list[tuple]) -> bytes:
    # Without zipmap=False the probabilities would be a list of dictionaries, which is not a tensor.
    options = {id(pipeline): {"zipmap": False}} if is_classifier(pipeline) else None
    model = skl2onnx.convert_sklearn(
        pipeline, name=name, initial_types=inputs, target_opset=SKLEARN_OPSETS, options=options
    )
    if not is_classifier(pipeline):
        _rename_output(model, "prediction")
    # skl2onnx may name the same operator set twice.
    opsets = {entry.domain: entry for entry in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(opsets[domain] for domain in sorted(opsets))
    return _serialize(model)


def _rename_output(model: onnx.ModelProto, name: str) -> None:
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = [name if result == output.name else result for result in node.output]
    output.name = name


def _serialize(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def operator_sets(model: bytes) -> dict[str, int]:
    """The operator sets the model declares, by domain; the default domain is called `ai.onnx`."""
    imports = onnx.load_model_from_string(model).opset_import
    return {entry.domain or "ai.onnx": entry.version for entry in imports}


def signature(model: bytes) -> dict[str, list[dict]]:
    """The model's `inputs` and `outputs` as the Open Inference Protocol describes tensors, -1 for the row count."""
    graph = onnx.load_model_from_string(model).graph
    inputs, outputs = ([_describe(value) for value in values] for values in (graph.input, graph.output))
    return {"inputs": inputs, "outputs": outputs}


def _describe(value: onnx.ValueInfoProto) -> dict:
    tensor = value.type.tensor_type
    sizes = [size.dim_value if size.HasField("dim_value") else -1 for size in tensor.shape.dim]
    return {"name": value.name, "datatype": DATATYPES[tensor.elem_type], "shape": sizes}


def infer(model: bytes, rows: pd.DataFrame, batch_rows: int | None = None) -> dict[str, np.ndarray]:
    """Run the model on `rows`, all at once or `batch_rows` at a time; the outputs by name.

    `rows` holds the model's columns in order: numbers, NaN if one is missing, and strings.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    size = batch_rows or len(rows)
    runs = [session.run(names, _tensors(session, rows[start : start + size])) for start in range(0, len(rows), size)]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*runs, strict=True), strict=True)}


def _tensors(session: onnxruntime.InferenceSession, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    inputs = session.get_inputs()
    if [tensor.name for tensor in inputs] == ["features"]:
        return {"features": rows.to_numpy(np.float32)}
    return {
        tensor.name: rows[[tensor.name]].to_numpy(object if tensor.type == "tensor(string)" else np.float32)
        for tensor in inputs
    }
