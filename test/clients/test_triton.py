"""Triton's client library, mostly with its default settings: binary tensors sent, and binary ones requested."""

from urllib.parse import urlsplit

import ml_dtypes
import numpy
import pytest
from conftest import COLUMNS, LABELS, PROBABILITIES
from tritonclient import http
from tritonclient.http import InferenceServerClientPlugin, aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

MODEL = "heart-failure"
EXTENSIONS = ["classification", "model_configuration", "statistics"]


class Token(InferenceServerClientPlugin):
    """Puts the token on every request. (The client changes a dictionary given as `headers`: use it for one call.)"""

    def __init__(self, headers):
        self.headers = headers

    def __call__(self, request):
        request.headers.update(self.headers)


@pytest.fixture
def client(url, headers):
    client = http.InferenceServerClient(urlsplit(url).netloc)
    client.register_plugin(Token(headers))
    yield client
    client.close()


@pytest.fixture
def features(client):
    """The name of the model's one tensor."""
    [tensor] = client.get_model_metadata(MODEL)["inputs"]
    assert tensor["datatype"] == "FP32"
    assert tensor["shape"] == [-1, 8]
    return tensor["name"]


def tensor(name, array, **options):
    tensor = http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, **options)


def assert_right(result, rows=slice(None)):
    assert result.as_numpy("label").tolist() == LABELS[rows]
    assert result.as_numpy("probabilities").shape == (len(LABELS[rows]), 2)
    numpy.testing.assert_allclose(result.as_numpy("probabilities")[:, 1], PROBABILITIES[rows], atol=1e-6)


def test_asks_how_the_server_and_the_model_are(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata() == {"name": "foretell", "version": "0.2.0", "extensions": EXTENSIONS}
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready("nobody")
    metadata = client.get_model_metadata(MODEL, "1")
    assert metadata["platform"] == "onnx_onnxv1"
    assert [output["name"] for output in metadata["outputs"]] == ["label", "probabilities"]


def test_tells_what_perf_analyzer_reads(client, features, patients):
    config = client.get_model_config(MODEL)
    assert config["max_batch_size"] > 0
    assert config["input"] == [{"name": features, "data_type": "TYPE_FP32", "dims": [8]}]
    assert client.get_model_config(MODEL, "1") == config

    def statistics():
        [stats] = client.get_inference_statistics(MODEL)["model_stats"]
        assert (stats["name"], stats["version"]) == (MODEL, "1")
        return stats

    before = statistics()
    for _ in range(4):
        client.infer(MODEL, [tensor(features, patients)])
    after = statistics()
    assert after["inference_count"] - before["inference_count"] == 12
    assert after["execution_count"] > before["execution_count"]
    parts = ["success", "queue", "compute_input", "compute_infer", "compute_output"]
    grown = [after["inference_stats"][part]["count"] - before["inference_stats"][part]["count"] for part in parts]
    assert grown == [4] * 5
    for part in [*parts, "fail", "cache_hit", "cache_miss"]:
        assert isinstance(after["inference_stats"][part]["ns"], int)


def test_infers_with_its_defaults(client, features, patients):
    """A NaN is a missing value."""
    result = client.infer(MODEL, [tensor(features, patients)], request_id="42")
    assert_right(result)
    response = result.get_response()
    assert (response["model_name"], response["model_version"], response["id"]) == (MODEL, "1", "42")


def test_infers_with_tensors_in_json(client, features, patients):
    result = client.infer(MODEL, [tensor(features, patients, binary_data=False)], model_version="1")
    assert_right(result)


@pytest.mark.parametrize("dtype", [numpy.float16, numpy.float32, numpy.float64, numpy.object_])
@pytest.mark.parametrize("binary_data", [True, False])
def test_infers_with_a_tensor_for_each_column(client, patients, dtype, binary_data):
    # The platelets do not fit in half precision.
    patient = numpy.array([[60, 250, 60, 2500, 0.5, 140, 0, 0]])
    def as_told(array):
        return numpy.vectorize("{:g}".format, otypes=[dtype])(array) if dtype == numpy.object_ else array.astype(dtype)

    columns = [
        tensor(name, as_told(patient[:, [index]]), binary_data=binary_data) for index, name in enumerate(COLUMNS)
    ]
    expected = client.infer(
        MODEL, [tensor(name, patient[:, [index]]) for index, name in enumerate(COLUMNS)]
    )
    result = client.infer(MODEL, columns)
    assert result.get_response()["outputs"] == expected.get_response()["outputs"]


def test_infers_with_whole_numbers_and_booleans(client, patients):
    arrays = [patients[:1, [index]] for index in range(8)]
    arrays[3] = arrays[3].astype(numpy.int64)
    arrays[5] = arrays[5].astype(numpy.uint8)
    arrays[6] = arrays[6].astype(bool)
    result = client.infer(MODEL, [tensor(*each) for each in zip(COLUMNS, arrays)])
    assert_right(result, slice(1))


@pytest.mark.parametrize("binary_data", [True, False])
def test_is_answered_the_outputs_it_asks_for(client, features, patients, binary_data):
    wanted = [http.InferRequestedOutput("probabilities", binary_data=binary_data)]
    result = client.infer(MODEL, [tensor(features, patients)], outputs=wanted)
    assert result.as_numpy("label") is None
    numpy.testing.assert_allclose(result.as_numpy("probabilities")[:, 1], PROBABILITIES, atol=1e-6)


def test_is_answered_the_highest_classes(client, features, patients):
    wanted = [http.InferRequestedOutput("probabilities", class_count=1)]
    result = client.infer(MODEL, [tensor(features, patients)], outputs=wanted)
    classes = [text for [text] in result.as_numpy("probabilities")]
    assert [text.split(":")[1:] for text in classes] == [["1", "1"], ["0", "0"], ["1", "1"]]
    assert classes[0] == "0.5124506:1:1"


def test_is_refused_shared_memory(client, features, patients):
    output = http.InferRequestedOutput("label")
    output.set_shared_memory("region", 8)
    with pytest.raises(InferenceServerException, match="shared_memory_region"):
        client.infer(MODEL, [tensor(features, patients)], outputs=[output])
    region = http.InferInput(features, [3, 8], "FP32").set_shared_memory("region", 96)
    with pytest.raises(InferenceServerException, match="shared_memory_region"):
        client.infer(MODEL, [region])


def test_infers_with_bfloat16(client, features):
    """Numbers that fit in half of a float32."""
    patient = numpy.array([[64, 256, 60, 262144, 1, 136, 0, 0]], dtype=numpy.float32)
    expected = client.infer(MODEL, [tensor(features, patient)])
    result = client.infer(MODEL, [tensor(features, patient.astype(ml_dtypes.bfloat16))])
    assert result.get_response()["outputs"] == expected.get_response()["outputs"]


def test_is_answered_texts_and_values(client):
    [flower] = client.get_model_metadata("iris")["inputs"]
    measures = numpy.array([[5.1, 3.5, 1.4, 0.2]], dtype=numpy.float32)
    result = client.infer("iris", [tensor(flower["name"], measures)])
    assert result.as_numpy("label").tolist() == ["setosa"]

    metadata = client.get_model_metadata("california-housing")
    assert metadata["outputs"] == [{"name": "prediction", "datatype": "FP32", "shape": [-1]}]
    district = {
        "longitude": -122.23, "latitude": 37.88, "housing_median_age": 41.0, "total_rooms": 880.0,
        "total_bedrooms": numpy.nan, "population": 322.0, "households": 126.0, "median_income": 8.3252,
        "ocean_proximity": "NEAR BAY",
    }
    columns = [
        tensor(name, numpy.array([[value]], dtype=numpy.object_ if isinstance(value, str) else numpy.float32))
        for name, value in district.items()
    ]
    [value] = client.infer("california-housing", columns).as_numpy("prediction")
    assert 300_000 < value < 510_000


def test_infers_many_at_once(client, features, patients):
    pending = [client.async_infer(MODEL, [tensor(features, patients)]) for _ in range(20)]
    for each in pending:
        assert_right(each.get_result())


def test_infers_with_asyncio(url, headers, features, patients):
    import asyncio

    async def infer():
        async with aio.InferenceServerClient(urlsplit(url).netloc) as client:
            client.register_plugin(Token(headers))
            return await client.infer(MODEL, [tensor(features, patients)])

    assert_right(asyncio.run(infer()))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model_name": "nobody"}, "404", "Model 'nobody' has no production version"),
        ({"model_version": "9"}, "404", "version 9"),
        ({"outputs": [http.InferRequestedOutput("odds")]}, "400", '"outputs" must be'),
        ({"inputs": [tensor("age", numpy.array([[25.0]]))]}, "400", "The inputs lack"),
    ],
)
def test_is_told_what_is_wrong(client, features, patients, change, status, message):
    call = {"model_name": MODEL, "inputs": [tensor(features, patients)], **change}
    with pytest.raises(InferenceServerException, match=message) as refusal:
        client.infer(**call)
    assert refusal.value.status() == status


def test_is_refused_without_a_token(url, features, patients):
    with http.InferenceServerClient(urlsplit(url).netloc) as stranger:
        assert not stranger.is_model_ready(MODEL)
        with pytest.raises(InferenceServerException, match="token") as refusal:
            stranger.infer(MODEL, [tensor(features, patients)])
    assert refusal.value.status() == "401"
