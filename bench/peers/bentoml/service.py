"""The model as a BentoML service: a worker for each core, adaptive batching on, no access log."""

import os

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=os.cpu_count(), logging={"access": {"enabled": False}})
class HeartFailure:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options)

    @bentoml.api(batchable=True)
    def predict(self, features: np.ndarray) -> np.ndarray:
        [probabilities] = self.session.run(["probabilities"], {"features": features.astype(np.float32)})
        return probabilities[:, 1]
