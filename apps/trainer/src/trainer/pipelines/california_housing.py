"""The median value of the homes in a Californian district, from its location, population and houses."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from trainer import TrainerError
from trainer.artifact import Artifact
from trainer.assembly import assemble
from trainer.data import Column, read_csv
from trainer.evaluation import FOLDS, evaluate, regression_metrics
from trainer.golden import PREDICTION_DECIMALS, check_difference, largest_output_difference
from trainer.onnx_model import SKLEARN_CONVERTER, convert_regressor_pipeline
from trainer.prose.california_housing import prose
from trainer.reference_statistics import numeric_statistics

NAME = "california-housing"
DATA_FILE = "california_housing.csv"
DATA_SHA256 = "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e"
# In dollars; the model card explains it.
TOLERANCE = 0.5

PLACES = ("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN")
COLUMNS = [
    Column("longitude", "numeric", "Longitude, in degrees; negative in the west", -122.23, nullable=False),
    Column("latitude", "numeric", "Latitude, in degrees north", 37.88, nullable=False),
    Column("housing_median_age", "numeric", "Median age of the houses, in years, at most 52", 41, nullable=False),
    Column("total_rooms", "numeric", "Rooms in the whole district", 880, nullable=False),
    Column("total_bedrooms", "numeric", "Bedrooms in the whole district", 129),
    Column("population", "numeric", "People in the whole district", 322, nullable=False),
    Column("households", "numeric", "Households in the whole district", 126, nullable=False),
    Column(
        "median_income",
        "numeric",
        "Median income of a household, in tens of thousands of dollars a year, at most 15",
        8.3252,
        nullable=False,
    ),
    Column(
        "ocean_proximity",
        "categorical",
        "Where the district lies relative to the ocean",
        "NEAR BAY",
        nullable=False,
        categories=PLACES,
    ),
]
NAMES = [column.name for column in COLUMNS]
NUMBERS = [column.name for column in COLUMNS if column.type == "numeric"]
TARGET = Column(
    "median_house_value", "numeric", "Median value of the homes, in dollars, at most 500001", 452600, nullable=False
)

PARAMETERS = {"imputation": "median", "handle_unknown": "ignore", "alpha": 1.0, "solver": "cholesky"}


def _unfitted() -> Pipeline:
    numbers = Pipeline([("impute", SimpleImputer(strategy=PARAMETERS["imputation"])), ("scale", StandardScaler())])
    # Categories from the schema, not from the given rows: a fold may have no island.
    places = OneHotEncoder(categories=[list(PLACES)], handle_unknown=PARAMETERS["handle_unknown"], sparse_output=False)
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("places", places, ["ocean_proximity"])])
    return Pipeline([("columns", columns), ("ridge", Ridge(alpha=PARAMETERS["alpha"], solver=PARAMETERS["solver"]))])


def train(data: Path, version: str) -> Artifact:
    """Train on the CSV file at `data` and return the artifact.

    Raises TrainerError if the file is refused or has too few rows to cross-validate, and if the ONNX model
    does not answer like scikit-learn, on the training data or on missing or unknown values.
    """
    data_set = read_csv(data, [*COLUMNS, TARGET])
    rows, target = data_set.table[NAMES], data_set.table[TARGET.name].to_numpy()
    # The metrics need two rows per fold; with fewer, r2 is undefined.
    if len(rows) < 2 * FOLDS:
        raise TrainerError(f"{data} has {len(rows)} rows; at least {2 * FOLDS} are needed")

    regressor = _unfitted()
    metrics = evaluate(regressor, regression_metrics("dollars"), rows, target)
    regressor.fit(rows, target)
    model = convert_regressor_pipeline(regressor, NAME, COLUMNS)
    predictions = regressor.predict(rows)
    golden_rows = rows.loc[_golden_indices(rows, predictions)]
    difference = _verify(model, regressor, rows, golden_rows)
    return assemble(
        name=NAME,
        version=version,
        task="regression",
        classes={},
        model=model,
        columns=COLUMNS,
        rows=rows,
        training_data={
            "name": "California Housing",
            "file": DATA_FILE,
            "sha256": data_set.sha256,
            "source": "https://github.com/ageron/handson-ml2/tree/master/datasets/housing",
            "license": "none stated; figures of the United States census",
        },
        parameters=PARAMETERS,
        framework={"name": "scikit-learn", "version": sklearn.__version__},
        converter=SKLEARN_CONVERTER,
        metrics=metrics,
        golden_rows=golden_rows,
        golden_outputs={"prediction": regressor.predict(golden_rows)},
        tolerance=TOLERANCE,
        prediction_statistics={
            "name": "prediction",
            **numeric_statistics(predictions.round(PREDICTION_DECIMALS)),
        },
        prose=prose(published_file=data_set.sha256 == DATA_SHA256, difference=math.ceil(10 * difference) / 10),
    )


def _golden_indices(rows: pd.DataFrame, predictions: np.ndarray) -> list[int]:
    """Rows from all over the file, the first of each place, three with a missing value, and both extreme answers."""
    stride = max(1, len(rows) // 20)
    missing = rows.index[rows.isna().any(axis=1)][:3]
    places = rows.drop_duplicates("ocean_proximity").index
    extremes = [int(predictions.argmin()), int(predictions.argmax())]
    return list(dict.fromkeys([*places, *missing, *extremes, *rows.index[stride // 2 :: stride]]))


def _verify(model: bytes, regressor: Pipeline, rows: pd.DataFrame, few_rows: pd.DataFrame) -> float:
    """The largest difference between the ONNX model and `regressor` on `rows`.

    Raises TrainerError if it exceeds TOLERANCE, on these rows or on strange copies of `few_rows`: those that the
    input schema refuses, but that the graph still answers like the framework.
    """
    strange = [few_rows.assign(ocean_proximity=place) for place in ("MOON", "inland", "")]
    strange += [few_rows.assign(**{name: math.nan}) for name in NUMBERS]
    strange += [few_rows.assign(**dict.fromkeys(NUMBERS, math.nan), ocean_proximity="MOON")]
    cases = pd.concat(strange)
    difference = largest_output_difference(model, cases, {"prediction": regressor.predict(cases)})
    check_difference(difference, TOLERANCE, "framework's answers to missing and unknown values")
    # One at a time they would take half a minute.
    difference = largest_output_difference(model, rows, {"prediction": regressor.predict(rows)}, batches=(None,))
    check_difference(difference, TOLERANCE, "framework's answers to the training data")
    return difference
