"""Import of devices from CSV, and the file of their credentials.

The header has `device_code`, and optionally `name`, `offline_after_s`, `offline_alarm`.
"""

import csv
import io
from collections.abc import Sequence
from itertools import islice

import msgspec

from protocol.codec import located
from protocol.device.views import NewDevice
from protocol.errors import Invalid, Malformed
from protocol.problems.detail import Detail
from protocol.rest.csv_rows import BoundedRows, text_of
from protocol.rest.wrong_shapes import shape_detail

ROWS_MAX = 1_000
# A code has up to 64 characters, a name 200; each may be a quote, which CSV doubles.
ROW_CHARACTERS_MAX = 600
COLUMNS = ("device_code", "name", "offline_after_s", "offline_alarm")
CREDENTIALS = ("device_code", "id", "username", "password", "client_id", "topic_prefix", "url")


def read_devices(data: bytes) -> list[NewDevice]:
    """The devices of the rows. A device without a name is named by its code.

    Raises:
        Malformed: not text, not CSV, no `device_code` column, or unknown columns.
        Invalid: invalid rows, by line, or too few or too many rows.
    """
    try:
        rows = BoundedRows(text_of(data), ROW_CHARACTERS_MAX)
        names = rows.header()
        if "device_code" not in names or not set(names) <= set(COLUMNS):
            raise Malformed(Detail("device_columns", columns=", ".join(COLUMNS[1:])))
        # One more than allowed shows that there are too many.
        found = [(rows.line_num, row) for row in islice(filter(None, rows), ROWS_MAX + 1)]
    except csv.Error as error:
        raise Malformed(Detail("file_not_csv", line=rows.line_num, problem=str(error))) from None
    if not 1 <= len(found) <= ROWS_MAX:
        raise Invalid({"file": Detail("devices_in_file", most=ROWS_MAX)})
    return _checked(names, found)


def _checked(names: Sequence[str], found: Sequence[tuple[int, list[str]]]) -> list[NewDevice]:
    wanted: dict[str, NewDevice] = {}
    errors: dict[str, Detail] = {}
    for line, row in found:
        if len(row) != len(names):
            errors[f"line {line}"] = Detail("line_fields")
            continue
        given = dict(zip(names, row, strict=True))
        fields = {name: value for name, value in given.items() if value}
        fields.setdefault("name", given["device_code"])
        try:
            device = msgspec.convert(fields, NewDevice, strict=False)
        except msgspec.ValidationError as error:
            what, where = located(error)
            errors[f"line {line}, {where}"] = shape_detail(what)
            continue
        if device.device_code in wanted:
            errors[f"line {line}"] = Detail("line_repeats", device=device.device_code)
        wanted[device.device_code] = device
    if errors:
        raise Invalid(dict(list(errors.items())[:100]))
    return list(wanted.values())


def credentials_csv(rows: Sequence[Sequence[str | None]]) -> bytes:
    """The CSV file with one line per device, with its password."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([CREDENTIALS, *rows])
    return text.getvalue().encode()
