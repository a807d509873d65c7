"""Which kind of file a client prefers."""

import pytest
from werkzeug.datastructures import Headers
from werkzeug.sansio.request import Request

from web.api.exporting import ACCEPT_MAX, wanted_kind


def asked(accept: str) -> Request:
    headers = Headers({"accept": accept})
    return Request("GET", "http", ("x", 80), "", "/", b"", headers, None)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("application/x-ndjson, */*;q=0.1", "application/x-ndjson"),
        ("text/html,*/*;q=0.8", None),
        ("", None),
        ("text/csv," + "x/y," * ACCEPT_MAX, None),  # to read it would hold up everybody
    ],
)
def test_csv_and_lines_are_for_who_prefers_them(accept: str, kind: str | None) -> None:
    assert wanted_kind(asked(accept)) == kind  # type: ignore[arg-type]
