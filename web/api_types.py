"""Writes the shapes of the REST API for the dashboard, in the repository's root:
`python -m web.api_types`."""

from pathlib import Path

from web.app import APIS
from web.http.openapi import document
from web.http.typescript import types_of

PATH = "web/dashboard/src/api_types.ts"


def api_types() -> str:
    operations = [each for api in APIS for each in api.operations]
    return types_of(document(operations, ""))


if __name__ == "__main__":
    Path(PATH).write_text(api_types())
