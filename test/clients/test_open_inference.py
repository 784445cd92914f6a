"""The client that the protocol's working group generated from its OpenAPI document."""

import httpx
import pytest
from conftest import COLUMNS, PATIENTS
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError
from open_inference.openapi.types import InferenceRequest, RequestInput, RequestOutput, TensorData

MODEL = "heart-failure"


@pytest.fixture
def client(url, headers):
    with httpx.Client(headers=headers) as session:
        yield OpenInferenceClient(base_url=url, httpx_client=session)


def request(name, data, **others):
    tensor = RequestInput(name=name, shape=[1, 8], datatype="FP32", data=TensorData(__root__=data))
    return InferenceRequest(inputs=[tensor], **others)


def test_asks_how_the_server_and_the_model_are(client):
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness(MODEL)
    client.check_model_version_readiness(MODEL, "1")
    assert client.read_server_metadata().name == "foretell"
    assert client.read_model_version_metadata(MODEL, "1").versions == ["1"]


def test_infers(client):
    [tensor] = client.read_model_metadata(MODEL).inputs
    answer = client.model_infer(MODEL, request=request(tensor.name, PATIENTS[0], id="42"))
    assert (answer.model_name, answer.model_version, answer.id) == (MODEL, "1", "42")
    label, probabilities = answer.outputs
    assert (label.name, label.datatype, label.data.__root__) == ("label", "INT64", [1])
    assert probabilities.data.__root__[1] == 0.5124506

    wanted = [RequestOutput(name="label")]
    nested = request(tensor.name, [PATIENTS[0]], outputs=wanted)
    [only] = client.model_version_infer(MODEL, "1", request=nested).outputs
    assert only.name == "label"


def test_is_told_what_is_wrong(client):
    with pytest.raises(BadRequestError) as refusal:
        client.model_infer(MODEL, request=request("nothing", PATIENTS[0]))
    assert all(f'"{name}"' in refusal.value.body["error"] for name in COLUMNS)
    with pytest.raises(ApiError, match="Model .nobody. has no production version"):
        client.model_infer("nobody", request=request("nothing", PATIENTS[0]))
