"""Import of devices from CSV, and the file of their credentials.

The header has `device_code`, and optionally `name`, `offline_after_s`, `offline_alarm`.
"""

import csv
import io
from collections.abc import Sequence
from itertools import islice

import msgspec

from protocol.device.views import NewDevice
from protocol.errors import Invalid, Malformed
from protocol.rest.csv_rows import BoundedRows

ROWS_MAX = 1_000
# A code has up to 64 characters, a name 200; each may be a quote, which CSV doubles.
ROW_CHARACTERS_MAX = 600
COLUMNS = ("device_code", "name", "offline_after_s", "offline_alarm")
CREDENTIALS = ("device_code", "id", "username", "password", "client_id", "topic_prefix", "url")


def read_devices(data: bytes) -> list[NewDevice]:
    """The devices of the rows. A device without a name is named by its code.

    Raises:
        Malformed: not UTF-8, not CSV, no `device_code` column, or unknown columns.
        Invalid: invalid rows, by line, or too few or too many rows.
    """
    try:
        rows = BoundedRows(data.decode("utf-8-sig"), ROW_CHARACTERS_MAX)
        names = [name.strip().lower() for name in next(rows, [])]
        if "device_code" not in names or not set(names) <= set(COLUMNS):
            optional = ", ".join(COLUMNS[1:])
            raise Malformed(f"The first line must have device_code, and optionally {optional}")
        # One more than allowed shows that there are too many.
        found = [(rows.line_num, row) for row in islice(filter(None, rows), ROWS_MAX + 1)]
    except UnicodeDecodeError:
        raise Malformed("The file is not UTF-8") from None
    except csv.Error as error:
        raise Malformed(f"The file is not CSV: {error}") from None
    if not 1 <= len(found) <= ROWS_MAX:
        many = len(found) if len(found) <= ROWS_MAX else f"more than {ROWS_MAX}"
        raise Invalid({"file": f"has {many} devices; must have 1 to {ROWS_MAX}"})
    return _checked(names, found)


def _checked(names: Sequence[str], found: Sequence[tuple[int, list[str]]]) -> list[NewDevice]:
    wanted: dict[str, NewDevice] = {}
    errors: dict[str, str] = {}
    for line, row in found:
        if len(row) != len(names):
            errors[f"line {line}"] = "must have as many fields as the first line"
            continue
        given = dict(zip(names, row, strict=True))
        fields = {name: value for name, value in given.items() if value}
        fields.setdefault("name", given["device_code"])
        try:
            device = msgspec.convert(fields, NewDevice, strict=False)
        except msgspec.ValidationError as error:
            errors[f"line {line}"] = str(error)
            continue
        if device.device_code in wanted:
            errors[f"line {line}"] = f"{device.device_code} occurs twice"
        wanted[device.device_code] = device
    if errors:
        raise Invalid(dict(list(errors.items())[:100]))
    return list(wanted.values())


def credentials_csv(rows: Sequence[Sequence[str | None]]) -> bytes:
    """The CSV file with one line per device, with its password."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([CREDENTIALS, *rows])
    return text.getvalue().encode()
