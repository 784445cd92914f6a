"""Parquet as other tools write it: the files beside this one.

Run with pyarrow 26: python test/support/parquet/make.py
"""

import datetime
import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

here = Path(__file__).parent

pq.write_table(
    pa.table({"age": [25.0], "tags": [["a", "b"]], "place": [{"x": 1, "y": 2}]}),
    here / "nested.parquet",
)

ROWS = 12
zone = datetime.timezone.utc
moment = datetime.datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=zone)


def some(values: list) -> list:
    """This many rows, one of them with a null."""
    return [None if row == 4 else values[row % len(values)] for row in range(ROWS)]


columns = {
    "id": pa.array([9007199254740993 + row for row in range(ROWS)], pa.int64()),
    "unsigned": pa.array(some([2**63 + 1, 2**32, 0]), pa.uint64()),
    "small": pa.array(some([-128, 127]), pa.int8()),
    "money": pa.array(some([decimal.Decimal("-12345678901234567890123.45"), decimal.Decimal("0.10")]), pa.decimal128(38, 2)),
    "price": pa.array(some([decimal.Decimal("19.99"), decimal.Decimal("-0.01")]), pa.decimal128(9, 2)),
    "seen": pa.array(some([moment]), pa.timestamp("us", tz="UTC")),
    "measured": pa.array(some([1738367999123456789]), pa.timestamp("ns")),
    "born": pa.array(some([datetime.date(1969, 7, 20)]), pa.date32()),
    "at": pa.array(some([datetime.time(12, 34, 56)]), pa.time64("us")),
    "smokes": pa.array(some([True, False]), pa.bool_()),
    "ward": pa.array(some(["Nord", "Süd, „links“\n"])).dictionary_encode(),
    "raw": pa.array(some([b"\x00\xff", b""]), pa.binary()),
    "digest": pa.array(some([b"\x01\x02\x03\x04"]), pa.binary(4)),
    "nothing": pa.array([None] * ROWS, pa.string()),
    # The model's columns, in all kinds of types; a NaN is a missing value.
    "age": pa.array(some([25.0, float("nan"), 60.5]), pa.float64()),
    "creatinine_phosphokinase": pa.array(some([1000, 582]), pa.int64()),
    "ejection_fraction": pa.array(some([35, 20]), pa.int16()),
    "platelets": pa.array(some([decimal.Decimal("500000.00"), decimal.Decimal("263358.03")]), pa.decimal128(12, 2)),
    "serum_creatinine": pa.array(some([8.0, 1.5]), pa.float32()),
    "serum_sodium": pa.array(some(["135", "130"])).dictionary_encode(),
    "sex": pa.array(some([True, False]), pa.bool_()),
    "high_blood_pressure": pa.array(some([0, 1]), pa.uint8()),
}
FIRST_FEATURE = list(columns).index("age")
table = pa.table(columns)
# Two row groups.
for codec in ("snappy", "zstd", "gzip", "brotli", "lz4"):
    pq.write_table(table, here / f"types.{codec}.parquet", compression=codec, row_group_size=6)
pq.write_table(table, here / "types.v2.parquet", version="2.6", data_page_version="2.0", use_dictionary=False)
# Times as Spark and Impala once wrote them; nothing else in it has a logical type.
pq.write_table(
    pa.table(
        {"measured": columns["measured"]}
        | {name: pa.array([1.0] * ROWS, pa.float64()) for name in columns if list(columns).index(name) >= FIRST_FEATURE}
    ),
    here / "int96.parquet",
    use_deprecated_int96_timestamps=True,
    store_schema=False,
)

# What Arrow knows about a table beyond Parquet's schema, and pandas beyond Arrow.
features = {name: pa.array([1.0] * ROWS, pa.float64()) for name in list(columns)[FIRST_FEATURE:]}
pq.write_table(
    pa.table(
        {
            "grade": pa.DictionaryArray.from_arrays(
                pa.array(some([2, 0]), pa.int8()), ["low", "middle", "high"], ordered=True
            ),
            "large": pa.array(some(["x", "y"]), pa.large_string()),
            "waited": pa.array(some([90]), pa.duration("s")),
            "zoned": pa.array(some([1738367999123456]), pa.timestamp("us", tz="Europe/Berlin")),
            "naive": pa.array(some([1738367999123456]), pa.timestamp("us")),
            "early": pa.array(some([datetime.time(1, 2, 3)]), pa.time32("ms")),
            "exact": pa.array(some([45296000000007]), pa.time64("ns")),
            "half": pa.array(some([float("-inf"), 0.5]), pa.float16()),
            "single": pa.array(some([0.1, float("inf"), float("-inf")]), pa.float32()),
            "double": pa.array(some([0.1, float("inf"), float("-inf")]), pa.float64()),
        }
        | features
    ).replace_schema_metadata(
        {
            "pandas": '{"index_columns": [], "columns": [{"name": "grade", "field_name": "grade", "pandas_type": "categorical", '
            '"numpy_type": "int8", "metadata": {"num_categories": 3, "ordered": true}}], "attributes": {"study": 7}}',
            "study": "7",
        }
    ),
    here / "arrow.parquet",
)
# Each page with its checksum, as stored.
pq.write_table(
    pa.table(features), here / "checksums.parquet", compression="none", row_group_size=6, write_page_checksum=True
)
# A 96-bit time that does not fit in 64 bits of nanoseconds.
far = pa.array([None] * 5 + [datetime.datetime(9999, 12, 31)] * (ROWS - 5), pa.timestamp("us"))
pq.write_table(
    pa.table({"until": far} | features),
    here / "int96.far.parquet",
    use_deprecated_int96_timestamps=True,
    store_schema=False,
)
