"""The client that openapi-python-client generates from our API document calls each of its groups."""

import json
import os
from io import BytesIO
from pathlib import Path
from typing import cast

from foretell_client import AuthenticatedClient, Client
from foretell_client.api.accounts import set_user_enabled
from foretell_client.api.audit import list_predictions
from foretell_client.api.batches import get_batch, submit_batch
from foretell_client.api.m_lflow import invoke
from foretell_client.api.model_california_housing import predict_california_housing
from foretell_client.api.model_heart_failure import predict_heart_failure
from foretell_client.api.model_iris import predict_iris_version_1
from foretell_client.api.models import get_model, list_models
from foretell_client.api.open_inference_protocol import infer
from foretell_client.api.service import get_health
from foretell_client.api.start_here import create_token, predict, register_user
from foretell_client.models import (
    Batch,
    Credentials,
    Features,
    FeaturesCaliforniaHousing1,
    FeaturesHeartFailure1,
    FeaturesIris1,
    Health,
    InferenceRequest,
    InferenceResponse,
    MlflowInput,
    MlflowPredictions,
    ModelList,
    ModelPredictions,
    NewUser,
    Prediction,
    PredictionLogPage,
    Problem,
    RegisteredUser,
    SetUserEnabledEnabled,
    SubmitBatchFormat,
    Token,
)
from foretell_client.types import File

URL = os.environ["FORETELL_URL"]
DOCUMENT = json.loads(Path(os.environ["OPENAPI_DOCUMENT"]).read_text())
PASSWORD = "a password of this client"
PATIENT = {
    "age": 25,
    "creatinine_phosphokinase": 1000,
    "ejection_fraction": 35,
    "platelets": 500000,
    "serum_creatinine": 8,
    "serum_sodium": 135,
    "sex": 1,
    "high_blood_pressure": 0,
}


def test_every_group() -> None:
    # Start here
    nobody = Client(base_url=URL)
    user = register_user.sync(
        client=nobody, body=NewUser(username="python", password=PASSWORD, email="python@example.org")
    )
    assert isinstance(user, RegisteredUser)
    token = create_token.sync(client=nobody, body=Credentials(username="python", password=PASSWORD))
    assert isinstance(token, Token)
    client = AuthenticatedClient(base_url=URL, token=token.token)
    answer = predict.sync(client=client, body=Features.from_dict(PATIENT))
    assert isinstance(answer, Prediction)
    assert answer.yhat_prob == "0.5124506"

    # The models
    heart = predict_heart_failure.sync(client=client, body=FeaturesHeartFailure1.from_dict(PATIENT))
    assert isinstance(heart, ModelPredictions)
    flower = FeaturesIris1(sepal_length=5.1, sepal_width=3.5, petal_length=1.4, petal_width=0.2)
    iris = predict_iris_version_1.sync(client=client, body=flower)
    assert isinstance(iris, ModelPredictions)
    assert iris.predictions[0].label == "setosa"
    models = list_models.sync(client=client)
    assert isinstance(models, ModelList)
    examples = {model.name: model.serving.example for model in models.models if model.serving}
    housing = predict_california_housing.sync(
        client=client,
        body=FeaturesCaliforniaHousing1.from_dict(examples["california-housing"].to_dict()),
    )
    assert isinstance(housing, ModelPredictions)
    absent = get_model.sync(client=client, name="nosuch")
    assert isinstance(absent, Problem)
    assert absent.type_ == "urn:foretell:error:model-not-found"

    # Batches
    rows = f"{','.join(PATIENT)}\n{','.join(map(str, PATIENT.values()))}\n".encode()
    batch = submit_batch.sync(
        client=client, body=File(payload=BytesIO(rows)), model="heart-failure", format_=SubmitBatchFormat.CSV
    )
    assert isinstance(batch, Batch)
    assert isinstance(get_batch.sync(client=client, id=str(batch.id)), Batch)

    # MLflow and the Open Inference Protocol
    scored = invoke.sync(client=client, body=MlflowInput.from_dict({"dataframe_records": [PATIENT]}))
    assert isinstance(scored, MlflowPredictions)
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in PATIENT.items()]
    inferred = infer.sync(
        client=client, name="heart-failure", body=InferenceRequest.from_dict({"inputs": inputs})
    )
    assert isinstance(inferred, InferenceResponse)

    # For analysts and admins
    admin = AuthenticatedClient(base_url=URL, token=os.environ["FORETELL_ADMIN_TOKEN"])
    log = list_predictions.sync(client=admin, user="python", limit=10)
    assert isinstance(log, PredictionLogPage)
    assert log.items
    disabled = set_user_enabled.sync(
        client=admin, user_id=user.user_id, enabled=SetUserEnabledEnabled.VALUE_0
    )
    assert isinstance(disabled, RegisteredUser)
    refused = predict.sync(client=client, body=Features.from_dict(PATIENT))
    assert isinstance(refused, Problem)
    assert refused.type_ == "urn:foretell:error:unauthorized"

    # The service
    assert isinstance(get_health.sync(client=nobody), Health)


def test_no_group_is_left_out() -> None:
    source = Path(__file__).read_text()
    groups = {tag["name"].lower().replace(" ", "_").replace("-", "_") for tag in DOCUMENT["tags"]}
    imported = {
        line.split("foretell_client.api.")[1].split()[0].replace("m_lflow", "mlflow")
        for line in source.splitlines()
        if line.startswith("from foretell_client.api.")
    }
    assert imported == groups
