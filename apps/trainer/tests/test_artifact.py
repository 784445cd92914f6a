"""An artifact folder is complete or absent, and never disagrees with its golden cases."""

import copy
import dataclasses
from pathlib import Path

import pytest

from conftest import contents
from trainer import TrainerError
from trainer.artifact import Artifact, write_artifact
from trainer.pipelines import heart_failure


@pytest.fixture
def artifact(made_up_data: Path) -> Artifact:
    return heart_failure.train(made_up_data, "1")


def test_a_model_that_misses_one_golden_case_is_not_written(artifact: Artifact, tmp_path: Path):
    golden = copy.deepcopy(artifact.golden)
    golden["cases"][-1]["output"]["probabilities"][1] += 2e-6
    with pytest.raises(TrainerError, match="differs from the golden cases"):
        write_artifact(dataclasses.replace(artifact, golden=golden), tmp_path / "1")
    assert not (tmp_path / "1").exists()


def test_a_failed_replacement_leaves_the_old_folder_and_nothing_else(artifact: Artifact, tmp_path: Path, monkeypatch):
    folder = tmp_path / "models" / "1"
    write_artifact(artifact, folder)
    before = contents(folder)

    rename = Path.rename

    def rename_unless_complete(path: Path, target: Path) -> Path:
        if ".new-" in path.name:
            raise OSError("the disk is gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_unless_complete)
    with pytest.raises(OSError, match="the disk is gone"):
        write_artifact(artifact, folder, force=True)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_an_existing_folder_is_not_written_without_force(artifact: Artifact, tmp_path: Path):
    (tmp_path / "1").mkdir()
    with pytest.raises(TrainerError, match="--force"):
        write_artifact(artifact, tmp_path / "1")
    assert contents(tmp_path / "1") == {}
