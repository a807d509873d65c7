"""Every error answer says by a code and values what its detail says in English."""

from typing import Any

import pytest

from actors.ports.store import Store
from protocol.errors import Unavailable, Unreadable, Unstorable
from protocol.problems.detail import TEXTS, Detail
from tests.conftest import Logs
from tests.unit.site import Site

ALLOWED = ("type", "title", "status", "detail", "code", "params", "errors", "error_codes")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def check(problem: Any) -> None:
    assert set(problem) <= set(ALLOWED)
    assert problem["code"] in TEXTS
    errors, codes = problem.get("errors", {}), problem.get("error_codes", {})
    told = {name: str(Detail(each["code"], **each["params"])) for name, each in codes.items()}
    assert told == errors
    assert (problem["code"] == "invalid") == bool(errors) == (problem["status"] == 422)
    if not errors:
        assert problem["detail"] == str(Detail(problem["code"], **problem["params"]))


async def test_a_field_is_told_with_its_code_and_its_values(site: Site) -> None:
    status, problem = await site.post("/products", {"name": "x" * 201, "sku": "", "price": "1"})
    assert status == 422
    check(problem)
    assert problem["error_codes"] == {
        "name": {"code": "text_too_long", "params": {"most": 200}},
        "sku": {"code": "empty", "params": {}},
    }


async def test_a_conflict_is_told_with_its_values(site: Site) -> None:
    body = {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": 3}
    _, product = await site.post("/products", body)
    items = [{"product_id": product["id"], "quantity": 4}]
    status, problem = await site.post("/orders", {"items": items})
    assert status == 409
    check(problem)
    assert (problem["code"], problem["params"]) == ("in_stock", {"count": 3, "product": "Lamp"})


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "path_not_found"),
        ("PUT", "/devices", {}, 405, "method_not_allowed"),
        ("GET", f"/devices/{UNKNOWN}", {}, 404, "device_not_found"),
        ("GET", "/devices?colour=red", {}, 422, "invalid"),
        ("GET", "/devices?limit=0&sort=colour", {}, 422, "invalid"),
        ("POST", "/devices", {"data": b"{"}, 400, "body_not_json"),
        ("POST", "/devices", {"data": b"[]"}, 422, "invalid"),
        ("POST", "/media", {"data": b"x"}, 415, "file_not_multipart"),
        ("GET", "/devices", {"headers": {"x-auth-token": "x"}}, 401, "token_invalid"),
    ],
)
async def test_requests_are_refused_with_a_code(
    site: Site, method: str, path: str, options: Any, status: int, code: str
) -> None:
    answered, problem = await site.call(method, path, **options)
    assert (answered, problem["code"]) == (status, code)
    check(problem)


@pytest.mark.parametrize(
    ("path", "error", "status", "code"),
    [
        ("/devices", Unavailable("away"), 503, "database_away"),
        ("/devices", RuntimeError("a bug"), 500, "internal_error"),
        ("/devices", Unstorable("bad row"), 500, "unreadable"),
        ("/devices?q=x", Unstorable("bad value"), 400, "value_not_storable"),
    ],
)
async def test_what_fails_on_our_side_has_a_code(
    site: Site,
    logs: Logs,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    error: Exception,
    status: int,
    code: str,
) -> None:
    logs.claim("request failed")
    logs.claim("stored data cannot be read")
    fail(site.service.store, monkeypatch, error)
    answered, problem = await site.call("GET", path)
    assert (answered, problem["code"]) == (status, code)
    check(problem)


async def test_a_record_that_cannot_be_read_says_more_than_its_code(
    site: Site, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.claim("stored data cannot be read")
    fail(site.service.store, monkeypatch, Unreadable("This record holds a time outside of all"))
    status, problem = await site.call("GET", "/devices")
    assert (status, problem["code"]) == (500, "unreadable")
    assert problem["detail"].startswith("This record holds")


def fail(store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def listed(*args: Any) -> Any:
        raise error

    monkeypatch.setattr(type(store), "listed", listed, raising=False)
