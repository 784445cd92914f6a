"""Tiny models as someone else would export them, with the converters' defaults; they are beside this file.

Run in the trainer's environment: python test/support/foreign-models/make.py
"""

import numpy as np
import pandas as pd
from artifact import write
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

measurements, species = load_iris(return_X_y=True)
four = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

numeric = [{"name": name, "type": "numeric"} for name in four]
rows = [dict(zip(four, map(float, row))) for row in measurements[::30]]

# int64 labels, one float tensor, probabilities as a tensor.
classifier = LogisticRegression(max_iter=1000).fit(measurements, species)
multiclass = {"task": "multiclass_classification", "labels": ["0", "1", "2"]}
expected = [
    {"label": str(label), "probabilities": [float(p) for p in probabilities]}
    for label, probabilities in zip(classifier.predict(measurements[::30]), classifier.predict_proba(measurements[::30]))
]
sample = measurements[:1].astype(np.float32)
write("int64-labels", to_onnx(classifier, sample, options={"zipmap": False}), multiclass, numeric, list(zip(rows, expected)))

# skl2onnx's default: probabilities as a ZipMap.
write("zipmap", to_onnx(classifier, sample), multiclass, numeric, list(zip(rows, expected)))

# float64 in and out.
regression = LinearRegression().fit(measurements[:, :3], measurements[:, 3])
write(
    "float64",
    to_onnx(regression, initial_types=[("X", DoubleTensorType([None, 3]))]),
    {"task": "regression"},
    numeric[:3],
    [
        ({k: row[k] for k in four[:3]}, {"prediction": float(regression.predict(measurements[i * 30 : i * 30 + 1, :3])[0])})
        for i, row in enumerate(rows)
    ],
)

# A tensor per column, of three types; string labels.
frame = pd.DataFrame(
    {"size": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "rooms": [1, 1, 2, 2, 3, 3], "colour": ["red", "blue"] * 3}
)
kind = np.array(["hut", "hut", "house", "house", "palace", "palace"])
pipeline = make_pipeline(
    make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), remainder="passthrough"),
    LogisticRegression(max_iter=1000),
).fit(frame, kind)
write(
    "tensor-per-column",
    to_onnx(
        pipeline,
        initial_types=[
            ("size", FloatTensorType([None, 1])),
            ("rooms", Int64TensorType([None, 1])),
            ("colour", StringTensorType([None, 1])),
        ],
        options={"zipmap": False},
    ),
    {"task": "multiclass_classification", "labels": list(pipeline.classes_)},
    [{"name": "size", "type": "numeric"}, {"name": "rooms", "type": "numeric"}, {"name": "colour", "type": "categorical"}],
    [
        (row, {"label": str(label), "probabilities": [float(p) for p in probabilities]})
        for row, label, probabilities in zip(
            frame.to_dict("records"), pipeline.predict(frame), pipeline.predict_proba(frame)
        )
    ],
)
