"""Trains the tutorial's model: train.py <heart_failure_clinical_records.csv> <heart-failure.json to write>.

The parameters are the published ones, the file is saved by XGBoost. The data set is fetched as apps/trainer/README.md
says; the model is committed, so that the bench needs no data.
"""

import sys

import pandas as pd
import xgboost as xgb

COLUMNS = [
    "age",
    "creatinine_phosphokinase",
    "ejection_fraction",
    "platelets",
    "serum_creatinine",
    "serum_sodium",
    "sex",
    "high_blood_pressure",
]
PARAMETERS = {
    "objective": "binary:logistic",
    "max_depth": 2,
    "learning_rate": 0.1,
    "min_child_weight": 0.5,
    "tree_method": "exact",
    "base_score": 0.5,
    "eval_metric": "logloss",
    "seed": 0,
    "nthread": 1,
}

data, model = sys.argv[1:]
records = pd.read_csv(data)
matrix = xgb.DMatrix(records[COLUMNS], label=records["DEATH_EVENT"])
xgb.train(PARAMETERS, matrix, num_boost_round=30).save_model(model)
