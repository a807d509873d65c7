"""A body that is held back outlives nothing of what its request was signed in with."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.unit.multipart import HEADERS, body, part
from tests.unit.samples import png
from tests.unit.site import ACCOUNT, Site

JSON = {"Content-Type": "application/json"}
KEY = ("/api/v1/api-keys", JSON, json.dumps({"name": "mine", "scope": "write"}).encode())
PICTURE = ("/api/v1/media", HEADERS, body(part(png(1, 1), "a.png")))


async def held(
    site: Site, meanwhile: Callable[[], Awaitable[object]], asked: tuple[str, Any, bytes] = KEY
) -> int:
    """The status of a request whose body comes after something else."""
    path, headers, content = asked
    headers = {**site.headers, **headers}
    async with site.app.test_client().request(path, method="POST", headers=headers) as connection:
        await connection.send(content[:1])
        await meanwhile()
        await connection.send(content[1:])
        await connection.send_complete()
        answer = await connection.as_response()
    return int(answer.status_code)


@pytest.mark.parametrize("asked", [KEY, PICTURE])
async def test_a_request_that_stays_signed_in_is_carried_out(site: Site, asked: Any) -> None:
    assert await held(site, lambda: site.call("GET", "/users/me"), asked) == 201


async def test_a_session_that_ended_meanwhile_adds_no_file(site: Site) -> None:
    assert await held(site, lambda: site.call("POST", "/logout"), PICTURE) == 401
    assert site.files.contents == 0


async def test_a_session_that_ended_meanwhile_adds_no_key(site: Site) -> None:
    before = dict(site.headers)
    assert await held(site, lambda: site.call("POST", "/logout")) == 401
    site.headers = before
    assert (await site.call("GET", "/api-keys"))[0] == 401


async def test_an_account_that_was_disabled_meanwhile_adds_no_key(site: Site) -> None:
    _, me = await site.call("GET", "/users/me")
    changes, now_us = site.service.changes, site.service.clock.now_us()
    assert await held(site, lambda: changes.disable_account(me["id"], now_us, erase=False)) == 401
    await site.service.store.enable_user(me["id"])
    _, token = await site.post("/login/access-token", ACCOUNT)
    site.headers = {"x-auth-token": token["access_token"]}
    assert (await site.call("GET", "/api-keys"))[1]["items"] == []
