"""MLflow's own client code. It sends no headers of its own: a session with a token replaces `requests`."""

import json
from urllib.parse import urlsplit

import numpy
import pandas
import pytest
import requests
from conftest import COLUMNS, LABELS, PROBABILITIES
from mlflow.models.utils import convert_input_example_to_serving_input
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.scoring_server import client as client_module
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

PROBA = {"predict_method": "predict_proba"}


@pytest.fixture
def session(headers):
    with requests.Session() as session:
        session.headers.update(headers)
        yield session


@pytest.fixture
def client(url, session, monkeypatch):
    monkeypatch.setattr(client_module, "requests", session)
    parts = urlsplit(url)
    return ScoringServerClient(parts.hostname, parts.port)


def predictions_of(answer):
    return answer.get_predictions().to_numpy()[:, 0].tolist()


def test_waits_and_asks_for_the_version(client):
    client.wait_server_ready(timeout=5)
    assert client.get_version() == "0.2.0"


def test_scores_a_data_frame(client, frame):
    """A NaN, which MLflow writes into its JSON, is a missing value."""
    assert predictions_of(client.invoke(frame)) == LABELS


def test_scores_a_data_frame_with_other_columns_in_another_order(client, frame):
    shuffled = frame.assign(note="x")[["note", *reversed(COLUMNS)]]
    assert predictions_of(client.invoke(shuffled)) == LABELS


def test_scores_a_data_frame_without_names(client, patients):
    assert predictions_of(client.invoke(pandas.DataFrame(patients.astype(float)))) == LABELS


def test_scores_an_array_a_list_records_and_columns(client, frame):
    array = frame.to_numpy()
    # As text: the client fails on a dictionary of arrays.
    columns = json.dumps({"inputs": frame.to_dict(orient="list")})
    for data in (array, array.tolist(), frame.to_dict(orient="records"), columns):
        assert predictions_of(client.invoke(data)) == LABELS


def test_gives_probabilities(client, frame):
    answer = client.invoke(frame, params=PROBA)
    numpy.testing.assert_allclose(answer.get_predictions().to_numpy()[:, 1], PROBABILITIES, atol=1e-6)
    assert answer.get_predictions(predictions_format="ndarray").shape == (3, 2)


def test_scores_what_mlflow_makes_of_an_input_example(session, url, frame):
    payload = convert_input_example_to_serving_input(frame)
    answer = session.post(f"{url}/invocations", data=payload, headers={"Content-Type": scoring_server.CONTENT_TYPE_JSON})
    assert answer.json() == {"predictions": LABELS}


@pytest.mark.parametrize("index", [True, False])
def test_scores_csv_as_pandas_writes_it(session, url, frame, index):
    """pandas writes a NaN as an empty cell."""
    answer = session.post(
        f"{url}/invocations",
        data=frame.to_csv(index=index),
        headers={"Content-Type": scoring_server.CONTENT_TYPE_CSV},
    )
    assert answer.json() == {"predictions": LABELS}


def test_is_told_what_is_missing(client, frame):
    with pytest.raises(Exception, match=r"error code 400.*INVALID_PARAMETER_VALUE.*Model is missing inputs \['age'\]\."):
        client.invoke(frame.drop(columns="age"))


def test_is_refused_without_a_token(url, frame):
    parts = urlsplit(url)
    with pytest.raises(Exception, match=r"error code 401.*UNAUTHENTICATED"):
        ScoringServerClient(parts.hostname, parts.port).invoke(frame)
