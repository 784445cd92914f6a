"""Reading CSV files: what is a value, what is missing, and what is refused."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from trainer import TrainerError
from trainer.data import Column, read_csv

AGE = Column("age", "numeric", "Age in years", 25)
SEX = Column("sex", "boolean", "1 for a man", 1)
PLACE = Column("place", "categorical", "Where", "sea", categories=("sea", "<1H, land"))


def table(tmp_path: Path, content: str | bytes, columns: Sequence[Column] = (AGE, SEX)) -> list[list]:
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, list(columns)).table.to_numpy().tolist()


def test_columns_come_in_the_order_asked_for_whatever_the_file_says(tmp_path: Path):
    assert table(tmp_path, "\ufeffsex,other,age\r\n1,x,2.5e1\r\n\r\n0,y, 60.667 \r\n") == [[25, 1], [60.667, 0]]


def test_an_empty_cell_is_a_missing_value(tmp_path: Path):
    [[age, sex], _] = table(tmp_path, 'age,sex\n" ",1\n60,0\n')
    assert math.isnan(age) and sex == 1


@pytest.mark.parametrize("value", ["abc", "NaN", "inf", "-Infinity", "1e39", "0x19", "1_000", "٢٥", "true", "1 2"])
def test_what_is_no_plain_decimal_float32_is_refused(value: str, tmp_path: Path):
    with pytest.raises(TrainerError, match=r"column age, row 1: .* is not a number"):
        table(tmp_path, f"age,sex\n{value},1\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not a CSV file"),
        ("age,sex\n", "no rows"),
        ("age,sex\n,\n ,\n", "has no value in column age, sex"),
        ("age,sex\n1,1\n2,1,7\n", "row 2: 3 fields, but the header has 2"),
        ("age,sex\n1\n", "row 1: 1 fields, but the header has 2"),
        ("age,sex,age\n1,1,1\n", "two columns of the same name"),
        ('age,sex\n"1,1\n', "not a CSV file"),
    ],
)
def test_a_broken_file_is_refused(content: str, reason: str, tmp_path: Path):
    with pytest.raises(TrainerError, match=reason):
        table(tmp_path, content)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path):
    with pytest.raises(TrainerError, match="UTF-8"):
        table(tmp_path, b"age,sex\n\xff,1\n", [AGE])


def test_a_category_is_kept_as_it_is_spelled_and_an_empty_cell_is_missing(tmp_path: Path):
    content = 'place,age\nsea,1\n"<1H, land",2\n ,3\n'
    assert table(tmp_path, content, [PLACE]) == [["sea"], ["<1H, land"], [""]]


@pytest.mark.parametrize("value", ["Sea", " sea", "moon", "1"])
def test_what_is_none_of_the_categories_is_refused(value: str, tmp_path: Path):
    with pytest.raises(TrainerError, match=r"column place, row 1: .* is not one of sea, <1H, land"):
        table(tmp_path, f"place,age\n{value},1\n", [PLACE])
