"""Parameters of a query: what a call does not know is refused, on every call."""

import re

import pytest

from tests.unit.site import Site
from web.app import APIS
from web.http.operation import Auth, Operation

UNKNOWN = "00000000-0000-4000-8000-000000000000"
# Those of people; devices have a login of their own.
OPERATIONS = {
    each.name: each for api in APIS for each in api.operations if each.auth is not Auth.DEVICE
}


def path_of(operation: Operation) -> str:
    return re.sub("<[^>]*>", UNKNOWN, operation.path)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_unknown_parameter_is_refused_on_every_call(site: Site, name: str) -> None:
    operation = OPERATIONS[name]
    status, problem = await site.call(operation.method, f"{path_of(operation)}?nonsense=1&tZ=")
    assert status == 422, problem
    unknown = "is not a known parameter"
    assert {"nonsense": unknown, "tZ": unknown}.items() <= problem["errors"].items()


async def test_many_unknown_parameters_are_not_all_told(site: Site) -> None:
    query = "&".join(f"p{n}=1" for n in range(500))
    _, problem = await site.call("GET", f"/devices?{query}")
    assert len(problem["errors"]) == 20


async def test_a_stranger_is_not_told_of_parameters(site: Site) -> None:
    site.headers = {}
    assert (await site.call("GET", "/devices?nonsense=1"))[0] == 401
