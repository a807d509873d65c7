"""A body that is held back outlives nothing of what its request was signed in with."""

import json
from collections.abc import Awaitable, Callable

from tests.unit.site import ACCOUNT, Site

KEY = json.dumps({"name": "mine", "scope": "write"}).encode()


async def held(site: Site, meanwhile: Callable[[], Awaitable[object]]) -> int:
    """The status of a request whose body comes after something else."""
    headers = {**site.headers, "Content-Type": "application/json"}
    client = site.app.test_client()
    async with client.request("/api/v1/api-keys", method="POST", headers=headers) as connection:
        await connection.send(KEY[:1])
        await meanwhile()
        await connection.send(KEY[1:])
        await connection.send_complete()
        answer = await connection.as_response()
    return int(answer.status_code)


async def test_a_request_that_stays_signed_in_is_carried_out(site: Site) -> None:
    assert await held(site, lambda: site.call("GET", "/users/me")) == 201


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
