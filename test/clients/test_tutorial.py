"""The tutorial's script, which declares no media type: `requests` sends none for text."""

import json
import uuid

import requests
from conftest import COLUMNS, PATIENTS


def test_registers_fetches_a_token_and_predicts(url):
    name = f"tutorial-{uuid.uuid4().hex[:8]}"
    user = {"username": name, "password": "a password of its own", "email": f"{name}@example.org"}
    registered = requests.post(f"{url}/register-user", data=json.dumps(user))
    assert "Content-Type" not in registered.request.headers
    assert registered.json()["message"] == "User created successfully"
    token = requests.post(f"{url}/token", data=json.dumps(user)).json()["token"]
    patient = dict(zip(COLUMNS, PATIENTS[0]))
    answer = requests.post(f"{url}/predict", data=json.dumps(patient), headers={"Authorization": token})
    assert answer.json() == {"yhat_prob": "0.5124506", "yhat": "1"}
