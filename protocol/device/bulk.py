"""Many devices from CSV: a header with `device_code`, perhaps `name` and `offline_after_s`."""

import csv
import io
from collections.abc import Sequence
from itertools import islice

import msgspec

from protocol.errors import Invalid, Malformed
from protocol.rest.csv_rows import BoundedRows
from protocol.rest.resources import NewDevice

ROWS_MAX = 1_000
# A code has 64, a name 200, and twice as many where each of them is a quote.
ROW_CHARACTERS_MAX = 600
COLUMNS = ("device_code", "name", "offline_after_s", "offline_alarm")
CREDENTIALS = ("device_code", "id", "username", "password", "client_id", "topic_prefix", "url")


def read_devices(data: bytes) -> list[NewDevice]:
    """What the rows ask for; a device without a name is called by its code.

    Raises:
        Malformed: it is not UTF-8, not CSV, without a `device_code` or with unknown columns.
        Invalid: rows that cannot be, by their lines.
    """
    try:
        rows = BoundedRows(data.decode("utf-8-sig"), ROW_CHARACTERS_MAX)
        names = [name.strip().lower() for name in next(rows, [])]
        if "device_code" not in names or not set(names) <= set(COLUMNS):
            raise Malformed(f"the first line has device_code, and of {', '.join(COLUMNS[1:])}")
        # One more than may be tells that there are too many.
        found = [(rows.line_num, row) for row in islice(filter(None, rows), ROWS_MAX + 1)]
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8") from None
    except csv.Error as error:
        raise Malformed(f"it is not CSV: {error}") from None
    if not 1 <= len(found) <= ROWS_MAX:
        many = len(found) if len(found) <= ROWS_MAX else f"more than {ROWS_MAX}"
        raise Invalid({"file": f"has {many} devices; 1 to {ROWS_MAX} are made at once"})
    return _checked(names, found)


def _checked(names: Sequence[str], found: Sequence[tuple[int, list[str]]]) -> list[NewDevice]:
    wishes: dict[str, NewDevice] = {}
    errors: dict[str, str] = {}
    for line, row in found:
        if len(row) != len(names):
            errors[f"line {line}"] = "has not as many fields as the first"
            continue
        given = dict(zip(names, row, strict=True))
        fields = {name: value for name, value in given.items() if value}
        fields.setdefault("name", given["device_code"])
        try:
            wish = msgspec.convert(fields, NewDevice, strict=False)
        except msgspec.ValidationError as error:
            errors[f"line {line}"] = str(error)
            continue
        if wish.device_code in wishes:
            errors[f"line {line}"] = f"{wish.device_code} is there twice"
        wishes[wish.device_code] = wish
    if errors:
        raise Invalid(dict(list(errors.items())[:100]))
    return list(wishes.values())


def credentials_csv(rows: Sequence[Sequence[str | None]]) -> bytes:
    """What is downloaded: one line for each device, with its password."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([CREDENTIALS, *rows])
    return text.getvalue().encode()
