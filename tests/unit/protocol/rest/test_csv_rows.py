"""CSV files as spreadsheets write them."""

import pytest

from protocol.device.bulk import read_devices
from protocol.errors import Malformed
from protocol.rest.csv_rows import BoundedRows, text_of
from protocol.rest.importing import Imported, read_csv
from tests.unit.makers import NOW, some_feed

HEADER, ROW = ["ts", "value"], ["2026-01-01T00:00:00Z", 'a, "b"; c']


def imported(data: bytes) -> Imported:
    *_, found = read_csv(data, some_feed(), 1, NOW)
    return found


@pytest.mark.parametrize(
    "text",
    [
        'TS, Value\n2026-01-01T00:00:00Z,"a, ""b""; c"\n',
        'ts;value\r\n2026-01-01T00:00:00Z;"a, ""b""; c"\r\n',
        'ts\tvalue\n2026-01-01T00:00:00Z\t"a, ""b""; c"',
        'sep=|\nts|value\n2026-01-01T00:00:00Z|"a, ""b""; c"\n',
        'SEP=;\r\nts;value\r\n2026-01-01T00:00:00Z;"a, ""b""; c"\r\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_first_line_tells_the_separator(text: str, encoding: str) -> None:
    rows = BoundedRows(text_of(text.encode(encoding)))
    assert rows.header() == HEADER
    assert list(rows) == [ROW]
    assert rows.line_num == len(text.splitlines())


@pytest.mark.parametrize("text", ["", "\n", "sep=", "sep=\nts", 'sep="\nts'])
def test_a_file_without_columns_has_no_separator_either(text: str) -> None:
    assert BoundedRows(text).header() != HEADER


@pytest.mark.parametrize("data", [b"ts,value\n\xe9", b"\xff\xfet"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="is not UTF-"):
        text_of(data)


def test_devices_are_imported_whatever_the_separator() -> None:
    devices = read_devices("device_code;name\nshed;Nhà, kho\n".encode())
    assert [(each.device_code, each.name) for each in devices] == [("shed", "Nhà, kho")]


def test_a_time_of_a_file_is_that_of_a_message() -> None:
    """A float does not have all digits of nanoseconds: the reading was stored twice."""
    found = imported(
        b"ts,value\n1700000000000006000,1\n1.7E+09,2\n 1700000000.25 ,3\n1_700_000_000,4"
    )
    assert [each.ts_us for each in found.readings] == [
        1_700_000_000_000_006,
        1_700_000_000_000_000,
        1_700_000_000_250_000,
    ]
    assert [each.line for each in found.errors] == [5]
