"""Files of pandas and pyarrow, sent for scoring: they come back unchanged, with predictions."""

import datetime
import decimal
import io
import time

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest
import requests
from conftest import COLUMNS, LABELS, PROBABILITIES, PATIENTS

ROWS = 2 * len(PATIENTS)
ADDED = ["yhat_prob", "yhat", "error"]
FEATURES = {name: [row[place] for row in PATIENTS] * 2 for place, name in enumerate(COLUMNS)}


def some(values: list) -> list:
    """This many rows, one of them with a null."""
    return [None if row == 4 else values[row % len(values)] for row in range(ROWS)]


TYPES = {
    "category": pyarrow.array(some(["b", "a"])).dictionary_encode(),
    "ordered": pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(some([2, 0]), pyarrow.int8()), ["low", "middle", "high"], ordered=True
    ),
    "numbered": pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(some([1, 0]), pyarrow.int8()), pyarrow.array([10, 20])
    ),
    "large": pyarrow.array(some(["x", "y"]), pyarrow.large_string()),
    "large_bytes": pyarrow.array(some([b"x", b"\xff"]), pyarrow.large_binary()),
    "view": pyarrow.array(some(["x", "y"]), pyarrow.string_view()),
    "seconds": pyarrow.array(some([1, -5]), pyarrow.duration("s")),
    "nanoseconds": pyarrow.array(some([1, -5]), pyarrow.duration("ns")),
    "zoned": pyarrow.array(some([1738367999123456]), pyarrow.timestamp("us", tz="Europe/Berlin")),
    "naive": pyarrow.array(some([1738367999]), pyarrow.timestamp("s")),
    "exact": pyarrow.array(some([1738367999123456789]), pyarrow.timestamp("ns")),
    "time32": pyarrow.array(some([datetime.time(12, 34, 56)]), pyarrow.time32("ms")),
    "time64": pyarrow.array(some([45296000000007]), pyarrow.time64("ns")),
    "date32": pyarrow.array(some([datetime.date(1969, 7, 20)]), pyarrow.date32()),
    "date64": pyarrow.array(some([datetime.date(1969, 7, 20)]), pyarrow.date64()),
    "int16": pyarrow.array(some([-3]), pyarrow.int16()),
    "uint64": pyarrow.array(some([2**64 - 1]), pyarrow.uint64()),
    "half": pyarrow.array(some([numpy.float16(0.1), numpy.float16("inf")]), pyarrow.float16()),
    "single": pyarrow.array(some([0.1, float("inf"), float("-inf")]), pyarrow.float32()),
    "double": pyarrow.array(some([0.1, float("inf"), float("-inf")]), pyarrow.float64()),
    "decimal": pyarrow.array(some([decimal.Decimal("-1.50")]), pyarrow.decimal256(50, 2)),
    "flag": pyarrow.array(some([True, False])),
    "fixed": pyarrow.array(some([b"abcd"]), pyarrow.binary(4)),
    "nothing": pyarrow.nulls(ROWS),
    "uuid": pyarrow.array(some([b"0123456789abcdef"]), pyarrow.uuid()),
    "json": pyarrow.array(some(['{"a":1}']), pyarrow.json_()),
}

WRITTEN = [
    {},
    {"store_schema": False},
    {"row_group_size": 2, "compression": "zstd", "write_page_checksum": True, "write_page_index": True},
    {"use_dictionary": False, "data_page_version": "2.0", "compression": "gzip", "write_page_checksum": True},
]


@pytest.fixture
def score(url, headers):
    def score(file: bytes) -> bytes:
        media = {"Content-Type": "application/vnd.apache.parquet"}
        sent = requests.post(f"{url}/batches?model=heart-failure", data=file, headers=headers | media)
        assert sent.status_code == 202, sent.text
        where = f"{url}/batches/{sent.json()['id']}"
        for _ in range(600):
            batch = requests.get(where, headers=headers).json()
            if batch["state"] in ("succeeded", "failed"):
                break
            time.sleep(0.1)
        assert batch["state"] == "succeeded", batch
        return requests.get(f"{where}/output", headers=headers).content

    return score


@pytest.mark.parametrize("how", WRITTEN, ids=str)
def test_every_type_of_arrow_comes_back_as_it_was(score, how):
    features = {name: pyarrow.array(values, pyarrow.float64()) for name, values in FEATURES.items()}
    table = pyarrow.table(TYPES | features)
    fields = [field.with_metadata({"unit": "mg"}) if field.name == "single" else field for field in table.schema]
    file = io.BytesIO()
    table = table.cast(pyarrow.schema(fields, {"study": "7"}))
    pyarrow.parquet.write_table(table, file, **how)
    given = pyarrow.parquet.read_table(io.BytesIO(file.getvalue()))
    found = pyarrow.parquet.read_table(io.BytesIO(score(file.getvalue())))
    assert found.schema.names == given.schema.names + ADDED
    for field in given.schema:
        assert found.schema.field(field.name).equals(field, check_metadata=True)
    # A NaN is not equal to itself.
    same = [name for name in given.schema.names if name not in FEATURES]
    assert found.select(same).equals(given.select(same))
    assert found.schema.metadata == given.schema.metadata
    assert [str(found.schema.field(name).type) for name in ADDED] == ["float", "int32", "string"]
    assert found["yhat"].to_pylist() == LABELS * 2
    assert found["yhat_prob"].to_pylist() == pytest.approx(PROBABILITIES * 2, abs=1e-6)


FRAME = pandas.DataFrame(
    {
        "grade": pandas.Categorical(some(["b", "a"]), categories=["z", "b", "a"], ordered=True),
        "text": pandas.array(some(["x"]), dtype="string"),
        "count": pandas.array(some([1, 2]), dtype="Int64"),
        "flag": pandas.array(some([True]), dtype="boolean"),
        "waited": pandas.to_timedelta(some([1, 2]), unit="s"),
        "zoned": pandas.to_datetime(some(["2026-01-01"])).tz_localize("Europe/Berlin"),
        "ward": some(["q"]),
    }
    | FEATURES,
    index=pandas.Index([f"key {row}" for row in range(ROWS)], name="key"),
)
FRAMES = {
    "an index with a name": FRAME,
    "an index of numbers": FRAME.reset_index(drop=True),
    "an index of two columns": FRAME.set_index("text", append=True),
    "an index of times": FRAME.set_index(pandas.date_range("2026", periods=ROWS, freq="h", tz="UTC")),
    "types of Arrow": FRAME.convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_a_frame_of_pandas_comes_back_with_its_index_and_types(score, frame):
    file = io.BytesIO()
    frame.to_parquet(file)
    given = pandas.read_parquet(io.BytesIO(file.getvalue()))
    found = pandas.read_parquet(io.BytesIO(score(file.getvalue())))
    pandas.testing.assert_frame_equal(found[given.columns], given)
    assert list(found.columns) == list(given.columns) + ADDED
    assert found["yhat"].tolist() == LABELS * 2
    assert found["yhat_prob"].dtype == numpy.float32
