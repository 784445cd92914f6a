"""What the command line writes and refuses, and its messages."""

import json
from pathlib import Path

import pandas as pd
import pytest

from conftest import contents
from trainer.__main__ import main
from trainer.artifact import FILES


def run(data: Path, out: Path, *options: str) -> int:
    return main(["heart-failure", "--data", str(data), "--out", str(out), *options])


def assert_refused(tmp_path: Path, table: pd.DataFrame | None, capsys: pytest.CaptureFixture, *mentioned: str) -> None:
    data, out = tmp_path / "data.csv", tmp_path / "1"
    if table is not None:
        table.to_csv(data, index=False)
    assert run(data, out) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    for text in mentioned:
        assert text in captured.err
    assert not out.exists()


def test_writes_a_complete_folder_with_the_version_asked_for(made_up_data: Path, tmp_path: Path, capsys):
    out = tmp_path / "models" / "7"
    assert run(made_up_data, out, "--version", "7") == 0
    assert sorted(contents(out)) == sorted(FILES)
    assert json.loads((out / "manifest.json").read_bytes())["version"] == "7"
    assert [path.name for path in out.parent.iterdir()] == ["7"]
    assert "roc_auc" in capsys.readouterr().out


def test_model_card_says_when_the_data_are_not_the_published_ones(made_up_data: Path, tmp_path: Path):
    assert run(made_up_data, tmp_path / "1") == 0
    assert "not those of the published table" in (tmp_path / "1" / "README.md").read_text(encoding="utf-8")


def test_quiet_prints_nothing(made_up_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture):
    assert run(made_up_data, tmp_path / "1", "--quiet") == 0
    assert capfd.readouterr() == ("", "")


def test_iris_needs_no_data(tmp_path: Path, capsys):
    assert main(["iris", "--out", str(tmp_path / "1")]) == 0
    assert sorted(contents(tmp_path / "1")) == sorted(FILES)
    assert "roc_auc_one_versus_rest" in capsys.readouterr().out


def test_iris_with_data_says_to_leave_them_out(tmp_path: Path, capsys):
    with pytest.raises(SystemExit):
        main(["iris", "--data", "flowers.csv", "--out", str(tmp_path / "1")])
    assert "iris brings its own data: leave --data out" in capsys.readouterr().err


def test_missing_file_is_refused(tmp_path: Path, capsys):
    assert_refused(tmp_path, None, capsys, "data.csv", "No such file")


def test_every_missing_column_is_named(made_up_table: pd.DataFrame, tmp_path: Path, capsys):
    table = made_up_table.drop(columns=["age", "DEATH_EVENT"])
    assert_refused(tmp_path, table, capsys, "has no column age, DEATH_EVENT;")


def test_every_column_with_a_wrong_value_is_named_with_its_row(made_up_table: pd.DataFrame, tmp_path: Path, capsys):
    made_up_table.loc[[2, 5], "age"] = "old"
    made_up_table.loc[3, "sex"] = "2"
    made_up_table.loc[4, "DEATH_EVENT"] = ""
    assert_refused(
        tmp_path,
        made_up_table,
        capsys,
        "column age, row 3: 'old' is not a number (and 1 more)",
        "column sex, row 4: '2' is not 0 or 1",
        "column DEATH_EVENT, row 5: '' is not 0 or 1",
    )


def test_a_target_of_one_class_is_refused(made_up_table: pd.DataFrame, tmp_path: Path, capsys):
    table = made_up_table.assign(DEATH_EVENT="0")
    assert_refused(tmp_path, table, capsys, "DEATH_EVENT needs at least 5 rows of 0 and of 1")


def test_existing_folder_is_refused_and_left_as_it_was(made_up_data: Path, tmp_path: Path, capsys):
    out = tmp_path / "1"
    assert run(made_up_data, out, "--quiet") == 0
    before = contents(out)
    assert run(made_up_data, out, "--version", "2") == 1
    assert "--force" in capsys.readouterr().err
    assert contents(out) == before


def test_force_replaces_an_artifact(made_up_data: Path, tmp_path: Path):
    out = tmp_path / "models" / "1"
    assert run(made_up_data, out, "--version", "1") == 0
    assert run(made_up_data, out, "--version", "2", "--force") == 0
    assert json.loads((out / "manifest.json").read_bytes())["version"] == "2"
    assert [path.name for path in out.parent.iterdir()] == ["1"]


def test_force_refuses_a_folder_with_anything_else_in_it(made_up_data: Path, tmp_path: Path, capsys):
    out = tmp_path / "home"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    assert run(made_up_data, out, "--force") == 1
    assert "thesis.txt" in capsys.readouterr().err
    assert list(contents(out)) == ["thesis.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["heart-failure"],
        ["weather", "--data", "a.csv", "--out", "b"],
        ["heart-failure", "--data", "a.csv", "--out", "b", "--version", "../1"],
        ["heart-failure", "--data", "a.csv", "--out", "b", "--forc"],
        ["heart-failure", "--out", "b"],
        ["california-housing", "--out", "b"],
        ["iris", "--data", "a.csv", "--out", "b"],
    ],
)
def test_wrong_arguments_exit_with_2(arguments: list[str], capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
