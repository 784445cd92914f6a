"""The model card: the README.md of an artifact folder, written from the same facts as its manifest."""

from dataclasses import dataclass

import pandas as pd

from trainer.data import Column


@dataclass(frozen=True)
class Prose:
    """What only the pipeline's author can say, in Markdown; `data_file` names the CSV file in the example command."""

    title: str
    prediction: str
    data: str
    use_and_limits: str
    data_file: str


def render_model_card(prose: Prose, manifest: dict, golden: dict, columns: list[Column], table: pd.DataFrame) -> str:
    """The model card in Markdown; `table` is the training data, whose ranges the card states."""
    data = manifest["training_data"]
    framework, converter = manifest["framework"], manifest["converter"]
    out = f"model-artifacts/{manifest['name']}/{manifest['version']}"
    return f"""# {prose.title}

Model `{manifest["name"]}`, version `{manifest["version"]}`: {manifest["task"].replace("_", " ")}.

{prose.prediction}

## Training data

{prose.data}

Source: <{data["source"]}>. License: {data["license"]}.
Rows: {data["rows"]}. SHA-256 of the file trained on: `{data["sha256"]}`.

## Intended use and limits

{prose.use_and_limits}

## Columns

Every column must be present, in any order. `null` is a missing value, which every split sends one fixed way.

{_columns(columns, table)}

## Quality on rows it has not seen

{_metrics(manifest["metrics"])}

## How it was trained

{framework["name"]} {framework["version"]}, converted to ONNX by {converter["name"]} {converter["version"]} \
(operator set {", ".join(f"`{domain}` {version}" for domain, version in manifest["opset"].items())}):

{_table(["parameter", "value"], [[f"`{name}`", f"`{value}`"] for name, value in manifest["parameters"].items()])}

From the root of the project, the file trained on (see its SHA-256 above) gives this folder again, byte for byte:

```sh
pip install ./apps/trainer
python -m trainer {manifest["name"]} --data data/{prose.data_file} --out {out} --version {manifest["version"]} --force
```

A model trained on other data is another version, in a folder of its own.

## Golden check

`golden.json` holds {len(golden["cases"])} rows with the probabilities that {framework["name"]} itself computed, \
as the shortest decimals of its float32 values.
Any runtime that serves `model.onnx` must reproduce them within {golden["tolerance"]}; the trainer checked this \
with ONNX Runtime before it wrote the folder.
To check another one: put the values of `input` into one float32 row in the order of `input_schema.json`, `null` as \
NaN, run the model, and compare `probabilities`.
"""


def _columns(columns: list[Column], table: pd.DataFrame) -> str:
    rows = []
    for column in columns:
        values = table[column.name]
        seen = f"{values.min():g} to {values.max():g}" if column.type == "numeric" else f"{values.mean():.0%} are 1"
        rows.append([f"`{column.name}`", column.type, column.description, seen, f"{column.example:g}"])
    return _table(["column", "type", "meaning and unit", "in the training data", "example"], rows)


def _metrics(metrics: list[dict]) -> str:
    rows = [[metric["name"], f"{metric['value']:.4f}", f"{metric['standard_deviation']:.4f}"] for metric in metrics]
    hows = dict.fromkeys(metric["how"] for metric in metrics)
    return "\n\n".join([_table(["metric", "value", "standard deviation"], rows), *hows])


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
