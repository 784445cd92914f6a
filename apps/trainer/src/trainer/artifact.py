"""The artifact folder: everything the service needs to serve one version of one model.

A folder is complete or absent: it is written beside its destination and renamed into place, after the
ONNX model has reproduced every golden case. Nothing in it depends on the time or the place of training.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from trainer import TrainerError
from trainer.golden import check_difference, largest_difference

FILES = (
    "model.onnx",
    "input_schema.json",
    "manifest.json",
    "golden.json",
    "reference_statistics.json",
    "README.md",
)


@dataclass(frozen=True)
class Artifact:
    """One trained model version: the serialized ONNX model, four JSON documents and the model card."""

    model: bytes
    input_schema: dict
    manifest: dict
    golden: dict
    reference_statistics: dict
    model_card: str


def check_destination(folder: Path, *, force: bool) -> None:
    """Raise TrainerError unless an artifact may be written to `folder`.

    Without `force` nothing may exist there; with it, only a folder of an artifact's files.
    """
    if not os.path.lexists(folder):
        return
    if not force:
        raise TrainerError(f"{folder} exists already; choose another folder, or replace it with --force")
    if not folder.is_dir() or folder.is_symlink():
        raise TrainerError(f"{folder} is not a folder; --force replaces only artifact folders")
    strangers = sorted(entry.name for entry in folder.iterdir() if entry.name not in FILES)
    if strangers:
        raise TrainerError(f"{folder} holds {', '.join(strangers)}; --force replaces only artifact folders")


def write_artifact(artifact: Artifact, folder: Path, *, force: bool = False) -> float:
    """Verify the model against its golden cases, then write the folder; returns the largest difference.

    Raises TrainerError if the difference exceeds the golden tolerance or the destination is refused, and OSError
    if writing fails; in each case the destination is unchanged.
    """
    difference = largest_difference(artifact.model, artifact.golden)
    check_difference(difference, artifact.golden["tolerance"], "golden cases")
    check_destination(folder, force=force)

    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    complete = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    replaced = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    complete.mkdir()
    try:
        for name, content in _contents(artifact).items():
            (complete / name).write_bytes(content)
        if folder.exists():
            folder.rename(replaced)
        try:
            complete.rename(folder)
        except OSError:
            if replaced.exists():
                replaced.rename(folder)
            raise
    finally:
        shutil.rmtree(complete, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
    return difference


def _contents(artifact: Artifact) -> dict[str, bytes]:
    contents = (
        artifact.model,
        _json(artifact.input_schema),
        _json(artifact.manifest),
        _json(artifact.golden),
        _json(artifact.reference_statistics),
        artifact.model_card.encode(),
    )
    return dict(zip(FILES, contents, strict=True))


def _json(document: dict) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
