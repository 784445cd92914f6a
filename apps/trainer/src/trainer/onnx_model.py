"""From a fitted model to ONNX, and back to numbers through ONNX Runtime."""

import numpy as np
import onnx
import onnxmltools
import onnxruntime
from onnxmltools.convert import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBClassifier

CONVERTER = {"name": "onnxmltools", "version": onnxmltools.__version__}
TARGET_OPSET = 15


def convert_classifier(classifier: XGBClassifier, name: str, feature_count: int) -> bytes:
    """Convert a classifier fitted on a plain array (no column names) to a serialized ONNX model.

    Input `features`: float32 [rows, feature_count], NaN where a value is missing.
    Outputs `label`: int64 [rows], and `probabilities`: float32 [rows, classes].
    The same classifier and name give the same bytes; without a name, onnxmltools would draw a random one.
    """
    features = FloatTensorType([None, feature_count])
    model = convert_xgboost(classifier, name=name, initial_types=[("features", features)], target_opset=TARGET_OPSET)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def operator_sets(model: bytes) -> dict[str, int]:
    """The operator sets the model declares, by domain; the default domain is called `ai.onnx`."""
    imports = onnx.load_model_from_string(model).opset_import
    return {entry.domain or "ai.onnx": entry.version for entry in imports}


def infer(model: bytes, features: np.ndarray) -> dict[str, np.ndarray]:
    """Run the model on `features` [rows, columns]; the outputs by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"features": features.astype(np.float32)}), strict=True))
