"""The model card: the README.md of an artifact folder, written from the same facts as its manifest."""

from dataclasses import dataclass

from trainer.data import Column
from trainer.evaluation import metric_text


@dataclass(frozen=True)
class Prose:
    """The parts that only the pipeline's author can write, in Markdown.

    `missing_values` says which values may be missing and what happens then; `tolerance` why the golden tolerance is
    what it is, and `search` what happened to the search's winner, if there is something to say.
    """

    title: str
    prediction: str
    data: str
    use_and_limits: str
    missing_values: str
    search: str = ""
    tolerance: str = ""


def render_model_card(prose: Prose, manifest: dict, golden: dict, statistics: dict, columns: list[Column]) -> str:
    """The model card in Markdown; `statistics` are the reference statistics, whose ranges the card states."""
    data = manifest["training_data"]
    framework, converter = manifest["framework"], manifest["converter"]
    out = f"model-artifacts/{manifest['name']}/{manifest['version']}"
    source = f" --data data/{data['file']}" if "file" in data else ""
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

Every column must be present, in any order. {prose.missing_values}

{_columns(columns, statistics["features"])}

`reference_statistics.json` holds the quantiles, histograms and shares of these columns and of the model's answers to \
the training data, for later drift checks.

## Quality on rows it has not seen

{_metrics(manifest["metrics"])}

## How it was trained

{framework["name"]} {framework["version"]}, converted to ONNX by {converter["name"]} {converter["version"]} \
(operator set {", ".join(f"`{domain}` {version}" for domain, version in manifest["opset"].items())}):

{_table(["parameter", "value"], [[f"`{name}`", f"`{value}`"] for name, value in manifest["parameters"].items()])}
{_search(manifest["search"], prose.search) if "search" in manifest else ""}
From the root of the project, the data trained on (see the SHA-256 above) give this folder again, byte for byte:

```sh
pip install ./apps/trainer
python -m trainer {manifest["name"]}{source} --out {out} --version {manifest["version"]} --force
```

A model trained on other data is another version, in a folder of its own.

## Golden check

{_golden(manifest, golden, prose.tolerance)}
"""


def _columns(columns: list[Column], features: dict[str, dict]) -> str:
    rows = [
        [f"`{column.name}`", column.type, column.description, _seen(features[column.name]), str(column.example)]
        for column in columns
    ]
    return _table(["column", "type", "meaning and unit", "in the training data", "example"], rows)


def _seen(feature: dict) -> str:
    missing = f", {feature['missing']} missing" if feature["missing"] else ""
    if feature["type"] == "numeric":
        return f"{feature['minimum']} to {feature['maximum']}{missing}"
    if feature["type"] == "boolean":
        return f"{feature['shares']['1']:.0%} are 1{missing}"
    return ", ".join(f"`{name}` {share:.2%}" for name, share in feature["shares"].items()) + missing


def _metrics(metrics: list[dict]) -> str:
    rows = [
        [metric["name"], metric_text(metric["value"]), metric_text(metric["standard_deviation"])] for metric in metrics
    ]
    hows = dict.fromkeys(metric["how"] for metric in metrics)
    return "\n\n".join([_table(["metric", "value", "standard deviation"], rows), *hows])


def _search(search: dict, prose: str) -> str:
    grid = [[f"`{name}`", ", ".join(f"`{value}`" for value in values)] for name, values in search["grid"].items()]
    best = ", ".join(f"`{name}` {value}" for name, value in search["best"]["parameters"].items())
    paragraphs = [
        f"The search's winner: {best}, with a log loss of {metric_text(search['best']['value'])}. {search['how']}",
        _table(["parameter", "values searched"], grid),
    ]
    if published := search.get("published"):
        loss, difference, deviation = (
            metric_text(published[name]) for name in ("value", "difference", "difference_standard_deviation")
        )
        paragraphs.append(
            f"The parameters used rank {published['rank']} of {search['candidates']} in that search, with a log loss "
            f"of {loss}: worse than the winner's by {difference}, with a standard deviation of {deviation} over the "
            "folds."
        )
    return "\n" + "\n\n".join(filter(None, [*paragraphs, prose])) + "\n"


def _golden(manifest: dict, golden: dict, tolerance: str) -> str:
    framework, output = manifest["framework"]["name"], manifest["outputs"][-1]["name"]
    if manifest["task"] == "regression":
        precision = f"values that {framework} itself computed in double precision, with four decimals"
    else:
        precision = f"probabilities that {framework} itself computed, as the shortest decimals of float32 values"
    if len(manifest["inputs"]) == 1:
        feed = "put the values of `input` into one float32 row in the order of `input_schema.json`, `null` as NaN"
    else:
        feed = "put each value of `input` into the tensor of its name, float32 (`null` as NaN) or a string"
    return f"""`golden.json` holds {len(golden["cases"])} rows with the {precision}.
Any runtime that serves `model.onnx` must reproduce them within {golden["tolerance"]:g}; the trainer checked this \
with ONNX Runtime, the rows alone and all at once, before it wrote the folder.{" " if tolerance else ""}{tolerance}
To check another one: {feed}, run the model, and compare `{output}`."""


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
