"""Deleting one's own account, and taking one's data along: REST as a black box."""

import io
import json
import zipfile
from typing import Any

import pytest
import trio.testing

from actors.adapters.memory.clocks import PlainHasher
from actors.ports.identity import Identity
from protocol.errors import Unauthorized
from protocol.problems.detail import Detail
from tests.unit.actors.test_erasure import add_things, as_bob, gone
from tests.unit.samples import png
from tests.unit.site import ACCOUNT, Site
from tests.unit.web.people.test_access import Letters
from web.app import create_app
from web.http.context import WebSettings
from web.people import archive
from web.people.sign_in_limits import PAIR_TRIES

SETTINGS = WebSettings(jwt_secret="s" * 32, public_url="https://roost.example")
PASSWORD = {"password": ACCOUNT["password"]}


async def leave(site: Site, body: Any) -> tuple[int, Any]:
    return await site.call("DELETE", "/users/me", json=body)


async def test_an_account_is_deleted_with_its_password_and_nothing_works_from_then_on(
    site: Site,
) -> None:
    mine = await add_things(site)
    _, key = await site.post("/api-keys", {"name": "script"})
    for body in ({}, {"password": "wrong"}, {"code": "c"}):
        status, problem = await leave(site, body)
        assert (status, list(problem["errors"])) == (422, ["password"])
    assert (await site.call("GET", "/users/me"))[0] == 200
    answer = await site.raw("DELETE", "/api/v1/users/me", json=PASSWORD)
    assert (answer.status_code, await answer.get_data()) == (202, b"")
    ended = answer.headers.getlist("Set-Cookie")
    assert sorted(each.partition("=")[0] for each in ended) == ["roost_browser", "roost_token"]
    assert all("Max-Age=0" in each and "HttpOnly" in each for each in ended)
    assert (await site.call("GET", "/users/me"))[0] == 401
    site.headers = {"x-auth-token": key["key"]}
    assert (await site.call("GET", "/devices"))[0] == 401
    site.headers = {}
    assert (await site.post("/login/access-token", ACCOUNT))[0] in (401, 403)
    await gone(site, mine)
    await site.sign_in()  # with the same address, for somebody new
    _, me = await site.call("GET", "/users/me")
    assert me["id"] != mine
    assert (await site.call("GET", "/devices"))[1]["items"] == []


async def test_a_disabled_account_is_told_so_after_the_right_password_only(site: Site) -> None:
    _, me = await site.call("GET", "/users/me")
    changes, store = site.service.changes, site.service.store
    await changes.disable_account(me["id"], site.clock.now_us(), erase=False)
    assert (await site.call("GET", "/users/me"))[0] == 401
    site.headers = {}
    status, problem = await site.post("/login/access-token", {**ACCOUNT, "password": "wrong"})
    assert (status, problem["code"]) == (401, "wrong_login")
    status, problem = await site.post("/login/access-token", ACCOUNT)
    assert (status, problem["code"]) == (403, "account_disabled")
    letters = site.service.mailer = Letters()
    site.app = create_app(site.service, PlainHasher(), SETTINGS)
    asked = {"email": ACCOUNT["email"]}
    assert (await site.post("/password-reset/request", asked))[0] == 202
    await trio.testing.wait_all_tasks_blocked()
    assert letters.sent == []
    await store.enable_user(me["id"])
    assert (await site.post("/login/access-token", ACCOUNT))[0] == 200


async def test_guesses_at_the_password_are_limited(site: Site) -> None:
    statuses = [(await leave(site, {"password": "wrong"}))[0] for _ in range(PAIR_TRIES + 1)]
    assert set(statuses[:PAIR_TRIES]) == {422}
    assert statuses[PAIR_TRIES] == 429
    assert (await leave(site, PASSWORD))[0] == 429


async def test_an_api_key_can_neither_delete_nor_export_the_account(site: Site) -> None:
    _, key = await site.post("/api-keys", {"name": "script", "scope": "write"})
    site.headers = {"x-auth-token": key["key"]}
    assert (await leave(site, PASSWORD))[0] == 403
    assert (await site.call("GET", "/users/me/export"))[0] == 403


class Zalo:
    """Knows one person by each code."""

    async def identify(self, code: str, verifier: str | None) -> Identity:
        if code == "wrong":
            raise Unauthorized(Detail("zalo_refused"))
        return Identity(subject=code.partition("-")[0], name=None)


async def test_an_account_of_zalo_is_deleted_with_a_new_sign_in(site: Site) -> None:
    site.service.zalo = Zalo()
    site.headers = {}
    _, token = await site.post("/zalo-user-management/callback", {"code": "ada-1"})
    site.headers = {"x-auth-token": token["access_token"]}
    for body, status, code in (
        (PASSWORD, 422, "invalid"),
        ({"code": "wrong"}, 401, "zalo_refused"),
        ({"code": "bob-1"}, 403, "zalo_other_person"),
    ):
        answered, problem = await leave(site, body)
        assert (answered, problem["code"]) == (status, code)
    assert (await leave(site, {"code": "ada-2", "code_verifier": "v"}))[0] == 202
    assert (await site.call("GET", "/users/me"))[0] == 401


async def exported(site: Site) -> zipfile.ZipFile:
    answer = await site.raw("GET", "/api/v1/users/me/export")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert 'filename="roost.zip"' in answer.headers["Content-Disposition"]
    found = zipfile.ZipFile(io.BytesIO(await answer.get_data()))
    assert found.testzip() is None
    return found


def lines(found: zipfile.ZipFile, name: str) -> list[Any]:
    return [json.loads(line) for line in found.read(name).splitlines()]


@pytest.mark.parametrize("directory_max", [archive.DIRECTORY_MAX, 1])
async def test_an_export_has_everything_of_ones_own_and_no_secret(
    site: Site, monkeypatch: pytest.MonkeyPatch, directory_max: int
) -> None:
    monkeypatch.setattr(archive, "DIRECTORY_MAX", directory_max)
    mine = site.headers
    theirs = await as_bob(site)
    site.headers = mine
    await add_things(site)
    _, key = await site.post("/api-keys", {"name": "script"})
    _, feeds = await site.call("GET", "/feeds")
    feed = next(each for each in feeds["items"] if each["key"] == "t")
    rows = b"ts,value\n" + b"".join(b"%d,%d\n" % (1_700_000_000 + n, n) for n in range(1200))
    headers = {"Content-Type": "text/csv"}
    done = await site.call("POST", f"/feed-values/{feed['id']}/import", data=rows, headers=headers)
    assert done[0] == 200, done
    found = await exported(site)
    assert json.loads(found.read("account.json"))["email"] == ACCOUNT["email"]
    assert [each["device_code"] for each in lines(found, "devices.ndjson")] == ["d1", "d2"]
    assert len(lines(found, "feeds.ndjson")) == 3
    assert [each["name"] for each in lines(found, "api-keys.ndjson")] == ["script"]
    (name,) = [each for each in found.namelist() if each.startswith("readings/")]
    assert name == f"readings/t-{feed['id']}.csv"
    table = found.read(name).decode().splitlines()
    assert (table[0], len(table)) == ("ts,value,flagged", 1201)
    assert table[1].split(",")[1] == "1199.0"
    (media,) = [each for each in found.namelist() if each.startswith("media/")]
    assert media.endswith("-a.png")
    assert found.read(media) == png(1, 1)
    everything = b"".join(found.read(each) for each in found.namelist())
    for secret in (key["key"], ACCOUNT["password"], "password_hash", "password_sha256", theirs):
        assert secret.encode() not in everything
    actions = [each["action"] for each in (await site.call("GET", "/audit-log"))[1]["items"]]
    assert "account_exported" in actions


async def test_a_content_that_is_missing_leaves_the_rest_of_an_export(site: Site) -> None:
    await add_things(site)
    _, listed = await site.call("GET", "/media")
    (media,) = listed["items"]
    stored = await site.service.store.media_by_id(media["id"])
    assert stored is not None
    await site.files.remove(stored.sha256)
    found = await exported(site)
    assert [each for each in found.namelist() if each.startswith("media/")] == []
    assert [each["id"] for each in lines(found, "media.ndjson")] == [media["id"]]


async def test_an_export_without_a_database_is_an_error_and_not_a_file(site: Site) -> None:
    site.faults.calls.waiting.append(("user", "before"))
    assert (await site.call("GET", "/users/me/export"))[0] == 503
