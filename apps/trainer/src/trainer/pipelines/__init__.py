"""One file per model. A pipeline is a function of the data set's path and the model's version.

It returns the artifact or raises TrainerError, and writes nothing.
"""

from collections.abc import Callable
from pathlib import Path

from trainer.artifact import Artifact
from trainer.pipelines import heart_failure

PIPELINES: dict[str, Callable[[Path, str], Artifact]] = {
    heart_failure.NAME: heart_failure.train,
}
