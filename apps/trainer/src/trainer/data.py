"""Reads a CSV file into numbers and categories, and refuses whatever it cannot read without guessing."""

import csv
import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from trainer import TrainerError

DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


@dataclass(frozen=True)
class Column:
    """One column of a data set; a nullable one may have empty cells, which mean "missing".

    A categorical column holds one of `categories`, spelled exactly like that.
    """

    name: str
    type: Literal["numeric", "boolean", "categorical"]
    description: str
    example: int | float | str
    nullable: bool = True
    categories: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """The expected kind of value, in words."""
        kinds = {"numeric": "a number", "boolean": "0 or 1", "categorical": f"one of {', '.join(self.categories)}"}
        return kinds[self.type]


@dataclass(frozen=True)
class DataSet:
    """`table` holds the requested columns in the requested order: float64, NaN if a value is missing, and
    strings, "" if one is missing. `sha256` is the hexadecimal digest of the file's bytes.
    """

    table: pd.DataFrame
    sha256: str


def read_csv(path: Path, columns: list[Column]) -> DataSet:
    """Read `columns` from the CSV file at `path`; other columns are ignored.

    Raises TrainerError for a file that cannot be read, for missing columns and columns without a single value
    (all named), and for values that are not of the column's type (every affected column, its first wrong value
    and that value's row; row 1 is the first below the header).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainerError(f"cannot read {path}: {error.strerror}") from error
    text = _parse(content, path)

    missing = [column.name for column in columns if column.name not in text]
    if missing:
        raise TrainerError(f"{path} has no column {', '.join(missing)}; its columns are {', '.join(text)}")
    if text.empty:
        raise TrainerError(f"{path} has no rows")

    problems = [problem for column in columns if (problem := _first_wrong_value(text[column.name], column))]
    if problems:
        raise TrainerError(f"{path}: {'; '.join(problems)}")
    table = pd.DataFrame({column.name: _values(text[column.name], column) for column in columns})
    empty = [column.name for column in columns if (text[column.name].str.strip() == "").all()]
    if empty:
        raise TrainerError(f"{path} has no value in column {', '.join(empty)}")
    return DataSet(table=table, sha256=hashlib.sha256(content).hexdigest())


def json_value(value: float | str) -> float | int | str | None:
    """A value of a table in JSON: null if it is missing, whole numbers without a decimal point."""
    if isinstance(value, str):
        return value or None
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() else value


def _parse(content: bytes, path: Path) -> pd.DataFrame:
    # Not pandas.read_csv: it treats a row that is too long as one that starts with an index, and shifts every column.
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header, *rows = (line for line in lines if line)
    except (ValueError, csv.Error) as error:
        raise TrainerError(f"{path} is not a CSV file in UTF-8 with a header: {error}") from error
    if len(set(header)) < len(header):
        raise TrainerError(f"{path} has two columns of the same name: {', '.join(header)}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise TrainerError(f"{path}, row {number}: {len(row)} fields, but the header has {len(header)}")
    return pd.DataFrame(rows, columns=header, dtype=str)


def _values(text: pd.Series, column: Column) -> pd.Series:
    if column.type == "categorical":
        return text.where(text.isin(column.categories), "")
    cells = text.str.strip()
    return cells.where(cells.str.fullmatch(DECIMAL), "nan").astype(np.float64)


def _first_wrong_value(text: pd.Series, column: Column) -> str | None:
    values = _values(text, column)
    accepted = values != "" if column.type == "categorical" else values.abs() <= np.finfo(np.float32).max
    if column.type == "boolean":
        accepted &= values.isin([0, 1])
    if column.nullable:
        accepted |= text.str.strip() == ""
    wrong = np.flatnonzero(~accepted)
    if wrong.size == 0:
        return None
    others = f" (and {wrong.size - 1} more)" if wrong.size > 1 else ""
    return f"column {column.name}, row {wrong[0] + 1}: {text.iloc[wrong[0]]!r} is not {column.expected}{others}"
