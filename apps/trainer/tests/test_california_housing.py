"""What the house-price artifact promises: raw values in, dollars out, with missing and unknown values."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from conftest import published_data, read_json
from trainer import TrainerError
from trainer.pipelines import california_housing

NAME = "california-housing"
NUMBERS = [
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
]
MEDIAN_BEDROOMS = 435


@pytest.fixture(scope="module")
def districts() -> pd.DataFrame:
    return pd.read_csv(published_data(NAME)).iloc[::200]


def predict(session: onnxruntime.InferenceSession, rows: pd.DataFrame) -> np.ndarray:
    numbers = {name: rows[[name]].to_numpy(np.float32) for name in NUMBERS}
    places = rows[["ocean_proximity"]].to_numpy(object)
    (prediction,) = session.run(["prediction"], {**numbers, "ocean_proximity": places})
    assert (prediction.dtype, prediction.shape) == (np.float32, (len(rows), 1))
    return prediction[:, 0]


def alone(session: onnxruntime.InferenceSession, rows: pd.DataFrame) -> np.ndarray:
    return np.concatenate([predict(session, rows[number : number + 1]) for number in range(len(rows))])


@pytest.mark.parametrize("predict_rows", [predict, alone])
def test_the_prices_are_near_those_in_the_census(session, districts: pd.DataFrame, predict_rows):
    errors = predict_rows(session, districts) - districts["median_house_value"].to_numpy()
    assert np.abs(errors).mean() < 60_000


@pytest.mark.parametrize("predict_rows", [predict, alone])
def test_missing_bedrooms_count_as_their_median(session, districts: pd.DataFrame, predict_rows):
    missing = predict_rows(session, districts.assign(total_bedrooms=np.nan))
    median = predict_rows(session, districts.assign(total_bedrooms=MEDIAN_BEDROOMS))
    assert missing.tolist() == median.tolist()


@pytest.mark.parametrize("predict_rows", [predict, alone])
def test_an_unknown_and_a_missing_place_are_none_of_the_five(session, districts: pd.DataFrame, predict_rows):
    prices = {
        place: predict_rows(session, districts.assign(ocean_proximity=place))
        for place in ["MOON", "", "inland", *california_housing.PLACES]
    }
    assert np.isfinite(prices["MOON"]).all()
    assert prices["MOON"].tolist() == prices[""].tolist() == prices["inland"].tolist()
    for place in california_housing.PLACES:
        premium = prices[place] - prices["MOON"]
        assert np.abs(premium).min() > 1000
        assert np.ptp(premium) < 0.5


def test_a_row_has_nearly_the_same_price_alone_and_in_any_batch(session, districts: pd.DataFrame):
    single = alone(session, districts)
    for size in (2, 3, 16, 64, len(districts)):
        batches = [predict(session, districts[start : start + size]) for start in range(0, len(districts), size)]
        assert np.abs(np.concatenate(batches) - single).max() <= 0.125


def test_golden_cases_hold_every_place_missing_values_and_extreme_prices(folder: Path):
    golden = read_json(folder / "golden.json")
    statistics = read_json(folder / "reference_statistics.json")["prediction"]
    inputs = [case["input"] for case in golden["cases"]]
    prices = [case["output"]["prediction"] for case in golden["cases"]]
    assert golden["tolerance"] == 0.5
    assert {row["ocean_proximity"] for row in inputs} == set(california_housing.PLACES)
    assert sum(row["total_bedrooms"] is None for row in inputs) >= 3
    assert (min(prices), max(prices)) == (statistics["minimum"], statistics["maximum"])


def test_manifest_describes_a_regression_with_a_tensor_for_each_column(folder: Path):
    manifest = read_json(folder / "manifest.json")
    assert manifest["task"] == "regression"
    assert not {"labels", "threshold", "search"} & manifest.keys()
    assert [(entry["name"], entry["datatype"], entry["shape"]) for entry in manifest["inputs"]] == [
        *((name, "FP32", [-1, 1]) for name in NUMBERS),
        ("ocean_proximity", "BYTES", [-1, 1]),
    ]
    assert manifest["outputs"] == [{"name": "prediction", "datatype": "FP32", "shape": [-1, 1]}]
    metrics = {metric["name"]: metric["value"] for metric in manifest["metrics"]}
    assert metrics["r2"] == pytest.approx(0.644, abs=0.001)
    assert metrics["root_mean_squared_error"] == pytest.approx(68_800, abs=100)


def test_schema_has_the_first_district_as_example_and_only_bedrooms_may_be_missing(folder: Path):
    columns = read_json(folder / "input_schema.json")["input_schema"]["columns"]
    first = pd.read_csv(published_data(NAME)).iloc[0]
    assert [column["name"] for column in columns] == [*NUMBERS, "ocean_proximity"]
    assert [column["example"] for column in columns] == [first[column["name"]] for column in columns]
    assert [column["name"] for column in columns if column["nullable"]] == ["total_bedrooms"]
    assert columns[-1]["categories"] == list(california_housing.PLACES)
    assert not any({"minimum", "maximum"} & column.keys() for column in columns)


def test_reference_statistics_count_the_missing_bedrooms(folder: Path):
    features = read_json(folder / "reference_statistics.json")["features"]
    assert {name: entry["missing"] for name, entry in features.items() if entry["missing"]} == {"total_bedrooms": 207}
    assert features["total_bedrooms"]["quantiles"]["0.5"] == MEDIAN_BEDROOMS
    assert features["ocean_proximity"]["shares"]["INLAND"] == round(6551 / 20640, 6)


@pytest.fixture
def made_up_districts() -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = {name: random.integers(1, 100, 40).astype(str) for name in NUMBERS}
    places = ["INLAND", "NEAR BAY"] * 20
    return pd.DataFrame({**table, "ocean_proximity": places, "median_house_value": random.integers(1, 9, 40)})


def train(table: pd.DataFrame, tmp_path: Path):
    table.to_csv(tmp_path / "districts.csv", index=False)
    return california_housing.train(tmp_path / "districts.csv", "1")


def test_other_data_are_said_to_be_others(made_up_districts: pd.DataFrame, tmp_path: Path):
    assert "other than the published one" in train(made_up_districts, tmp_path).model_card


def test_a_place_that_is_none_of_the_five_is_refused(made_up_districts: pd.DataFrame, tmp_path: Path):
    made_up_districts.loc[3, "ocean_proximity"] = "MOON"
    with pytest.raises(TrainerError, match="column ocean_proximity, row 4: 'MOON' is not one of <1H OCEAN, INLAND, "):
        train(made_up_districts, tmp_path)


def test_a_column_without_a_value_is_refused(made_up_districts: pd.DataFrame, tmp_path: Path):
    with pytest.raises(TrainerError, match="has no value in column total_bedrooms"):
        train(made_up_districts.assign(total_bedrooms=""), tmp_path)


@pytest.mark.parametrize("on", ["missing and unknown values", "training data"])
def test_a_graph_that_answers_otherwise_is_refused(
    made_up_districts: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: str
):
    measure = california_housing.largest_output_difference

    def far_away(*arguments, **options) -> float:
        on_training_data = "batches" in options
        return 0.6 if on_training_data == (on == "training data") else measure(*arguments, **options)

    monkeypatch.setattr(california_housing, "largest_output_difference", far_away)
    with pytest.raises(TrainerError, match=f"differs from the framework's answers to (the )?{on} by 6.0e-01, over 0.5"):
        train(made_up_districts, tmp_path)


def test_too_few_districts_are_refused(made_up_districts: pd.DataFrame, tmp_path: Path):
    with pytest.raises(TrainerError, match="9 rows; at least 10 are needed"):
        train(made_up_districts[:9], tmp_path)
