"""The model behind LitServe, an HTTP process for each core, batching on: server.py <model.onnx> <port>."""

import os
import sys

import litserve
import numpy as np
import onnxruntime


class HeartFailure(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[1], options)

    def decode_request(self, request: dict) -> np.ndarray:
        return np.asarray(request["features"], dtype=np.float32)

    def predict(self, features: np.ndarray) -> np.ndarray:
        [probabilities] = self.session.run(["probabilities"], {"features": features})
        return probabilities[:, 1]

    def encode_response(self, output: np.ndarray) -> dict:
        return {"probability": float(np.ravel(output)[0])}


if __name__ == "__main__":
    # More workers, and its queue over ZeroMQ, were slower on two cores: the model takes microseconds.
    server = litserve.LitServer(
        HeartFailure(max_batch_size=16, batch_timeout=0.001), accelerator="cpu", workers_per_device=1
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=os.cpu_count(),
        generate_client_file=False,
        log_level="warning",
    )
