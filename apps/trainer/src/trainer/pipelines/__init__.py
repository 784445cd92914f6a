"""One file per model, with a `NAME`, the `DATA_FILE` it is trained on, and a function `train(data, version)`.

`data` is the path of the data set, None if the pipeline brings its own (its `DATA_FILE` is None).
`train` returns the artifact or raises TrainerError, and writes nothing.
"""

from pathlib import Path
from typing import Protocol

from trainer.artifact import Artifact
from trainer.pipelines import california_housing, heart_failure, iris


class Pipeline(Protocol):
    """The interface of a module of this package."""

    NAME: str
    DATA_FILE: str | None

    def train(self, data: Path | None, version: str) -> Artifact: ...


PIPELINES: dict[str, Pipeline] = {pipeline.NAME: pipeline for pipeline in (california_housing, heart_failure, iris)}
