"""The command line. Exit codes: 0 written, 1 refused (the reason on standard error), 2 wrong arguments."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer import TrainerError
from trainer.artifact import check_destination, write_artifact
from trainer.evaluation import metric_text
from trainer.pipelines import PIPELINES


def _version(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a version: letters, digits, '.', '_' and '-', a letter or digit first"
        )
    return text


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description="Train a model and write its artifact folder.",
        allow_abbrev=False,
    )
    parser.add_argument("pipeline", choices=sorted(PIPELINES), help="what to train")
    parser.add_argument("--data", type=Path, metavar="CSV", help="the data set, unless the pipeline brings its own")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the artifact folder to write")
    parser.add_argument("--version", type=_version, default="1", help="the model's version (default: 1)")
    parser.add_argument("--force", action="store_true", help="replace the artifact which is already at DIR")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    arguments = parser.parse_args(argv)
    brings_data = PIPELINES[arguments.pipeline].DATA_FILE is None
    if arguments.data is None and not brings_data:
        parser.error(f"{arguments.pipeline} needs --data")
    if arguments.data is not None and brings_data:
        parser.error(f"{arguments.pipeline} brings its own data: leave --data out")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with `argv` (default: the process's own arguments) and return its exit code."""
    arguments = _arguments(argv)
    try:
        check_destination(arguments.out, force=arguments.force)
        artifact = PIPELINES[arguments.pipeline].train(arguments.data, arguments.version)
        difference = write_artifact(artifact, arguments.out, force=arguments.force)
    except (TrainerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not arguments.quiet:
        for metric in artifact.manifest["metrics"]:
            value, deviation = metric_text(metric["value"]), metric_text(metric["standard_deviation"])
            print(f"{metric['name']:24} {value} ± {deviation}")
        print(f"{'golden':24} {len(artifact.golden['cases'])} cases, largest difference {difference:.1e}")
        print(f"{'written':24} {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
