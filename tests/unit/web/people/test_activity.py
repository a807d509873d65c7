"""The activity log: what is in it, how long, and as a file."""

import csv
import io
from typing import Any

import pytest
import trio
import trio.testing

from protocol.errors import Unavailable
from protocol.people.people import Action, AuditEntry
from tests.conftest import Logs
from tests.unit.media_calls import uploaded
from tests.unit.site import ACCOUNT, Site
from web.app import APIS
from web.http.operation import Auth
from web.people.activity_export import PAGE
from web.people.sign_in_limits import PAIR_TRIES, TELL_EVERY_S

# Operations that change something and are not in the log: where they have a list of their own,
# change nothing that stays, or come from who is not signed in.
ELSEWHERE = {
    "POST /schedule-previews",
    "POST /login/ws-ticket",
    "POST /users/me/second-factor",  # it counts once it is confirmed
    "POST /alarms/<alarm_id>/ack",  # the alarm says when
    "POST /alarms/ack",
    "POST /ingest/feeds/<feed_key>",  # the devices' own words
    "POST /ingest/feeds",
    "POST /ingest/status",
    "POST /devices/<device_id>/commands",  # commands are a list
    "DELETE /commands/<command_id>",
    "POST /webhooks/<webhook_id>/test",  # and deliveries
    "POST /webhooks/<webhook_id>/deliveries/<delivery_id>/retry",
    "POST /mqtt-listener/republish",
    "DELETE /users/me",  # its log goes, too
}


async def actions(site: Site) -> list[Action]:
    """Newest first."""
    await trio.testing.wait_all_tasks_blocked()
    _, page = await site.call("GET", "/audit-log?limit=1000")
    return [each["action"] for each in page["items"]]


async def doing(site: Site) -> list[tuple[str, str, Any, Action]]:
    """One change after the other, with its entry."""
    device, media = await site.device("d9"), await uploaded(site)
    feed = {"key": "t", "name": "t", "kind": "number"}
    _, made = await site.post("/feeds", {**feed, "key": "u"})
    product = {"sku": "S1", "name": "p", "price": "1", "stock": 9}
    _, sold = await site.post("/products", {**product, "sku": "S2"})
    order = {"items": [{"product_id": sold["id"], "quantity": 1}]}
    _, ordered = await site.post("/orders", order)
    _, second = await site.post("/orders", order)
    plan = {
        "device_id": device["id"],
        "media_id": media["id"],
        "trigger_time": "2026-12-01T00:00:00Z",
    }
    _, planned = await site.post("/media-schedules", plan)
    hook = {"url": "https://example.org/"}
    _, hooked = await site.post("/webhooks", hook)
    _, key = await site.post("/api-keys", {"name": "k"})
    at = f"/webhooks/{hooked['id']}"
    return [
        ("POST", "/devices", {"device_code": "d8", "name": "d"}, "device_added"),
        ("PATCH", f"/devices/{device['id']}", {"name": "n"}, "device_changed"),
        ("POST", f"/devices/{device['id']}/credentials", {}, "device_credentials_renewed"),
        ("POST", "/feeds", feed, "feed_added"),
        ("PATCH", f"/feeds/{made['id']}", {"name": "n"}, "feed_changed"),
        ("DELETE", f"/feed-values/{made['id']}", None, "history_deleted"),
        ("DELETE", f"/feeds/{made['id']}", None, "feed_deleted"),
        ("POST", "/products", product, "product_added"),
        ("PATCH", f"/products/{sold['id']}", {"name": "n"}, "product_changed"),
        ("POST", "/orders", order, "order_added"),
        ("PATCH", f"/orders/{ordered['id']}", {"status": "completed"}, "order_completed"),
        ("DELETE", f"/orders/{second['id']}", None, "order_cancelled"),
        ("DELETE", f"/products/{sold['id']}", None, "product_deleted"),
        ("POST", "/media-schedules", plan, "schedule_added"),
        ("PATCH", f"/media-schedules/{planned['id']}", {"grace_s": 5}, "schedule_changed"),
        ("DELETE", f"/media-schedules/{planned['id']}", None, "schedule_deleted"),
        ("POST", "/webhooks", hook, "webhook_added"),
        ("PATCH", at, {"enabled": False}, "webhook_changed"),
        ("POST", f"{at}/secret", None, "webhook_secret_renewed"),
        ("DELETE", at, None, "webhook_deleted"),
        ("DELETE", "/rejected-messages", None, "rejections_deleted"),
        ("POST", "/mqtt-listener", {}, "mqtt_listener_set"),
        ("DELETE", "/mqtt-listener", None, "mqtt_listener_deleted"),
        ("DELETE", f"/api-keys/{key['id']}", None, "api_key_deleted"),
        ("DELETE", f"/devices/{device['id']}", None, "device_deleted"),
    ]


async def test_what_is_changed_is_in_the_log(site: Site) -> None:
    for method, path, body, action in await doing(site):
        options = {} if body is None else {"json": body}
        status, answer = await site.call(method, path, **options)
        assert status < 300, (method, path, answer)
        assert (await actions(site))[0] == action


async def test_every_operation_that_changes_something_is_in_the_log_or_has_a_reason(
    site: Site,
) -> None:
    """Whoever adds one decides about it here."""
    known = set(ELSEWHERE)
    for method, path, _, _ in await doing(site):
        known.add(_pattern(method, path))
    known |= {
        *("POST /users/me/second-factor/confirm", "DELETE /users/me/second-factor"),
        "POST /users/me/second-factor/recovery-codes",
        *("POST /email-verification/request", "POST /email-verification"),
        "DELETE /email-verification",
        *("PATCH /users/me", "POST /logout", "DELETE /sessions/<session_id>"),
        *("POST /api-keys", "POST /devices/import", "POST /feed-values/<feed_id>/import"),
        *("POST /media", "DELETE /media/<media_id>"),
        "DELETE /rejected-messages/<rejection_id>",
    }
    changing = {
        f"{op.method} {op.path}"
        for api in APIS
        for op in api.operations
        if op.method != "GET" and op.auth is not Auth.PUBLIC
    }
    assert {_pattern(*each.split(" ")) for each in changing} - {
        _pattern(*each.split(" ")) for each in known
    } == set()


def _pattern(method: str, path: str) -> str:
    """Whatever the ids."""
    parts = [
        "*" if part.startswith("<") or part.count("-") == 4 else part for part in path.split("/")
    ]
    return f"{method} {'/'.join(parts)}"


async def test_a_change_is_told_once_the_database_answers_again(
    site: Site, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    """It was an actor that failed, with a traceback."""
    add, tries = site.service.store.add_audit, 0

    async def away(entry: AuditEntry) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise Unavailable("away")
        await add(entry)

    monkeypatch.setattr(site.service.store, "add_audit", away)
    product = {"sku": "S1", "name": "p", "price": "1", "stock": 9}
    assert (await site.post("/products", product))[0] == 201
    await trio.sleep(30)
    assert (await actions(site))[0] == "product_added"
    assert logs.of("actor failed") == []


async def test_a_key_in_use_is_in_the_log_once_for_each_network(site: Site) -> None:
    _, made = await site.post("/api-keys", {"name": "script"})
    signed_in = site.headers

    async def use(address: str) -> None:
        answer = await site.raw(
            "GET",
            "/api/v1/devices",
            headers={"x-auth-token": made["key"], "User-Agent": "curl"},
            scope_base={"client": (address, 5)},
        )
        assert answer.status_code == 200

    site.headers = {}
    for address in ("192.0.2.1", "192.0.2.1", "198.51.100.1", "192.0.2.1"):
        await use(address)
    site.headers = signed_in
    _, page = await site.call("GET", "/audit-log?action=api_key_used")
    assert [(e["subject"], e["address"], e["agent"]) for e in page["items"]] == [
        ("script", "198.51.100.1", "curl"),
        ("script", "192.0.2.1", "curl"),
    ]


async def test_refused_sign_ins_are_told_once_in_a_while(site: Site, autojump_clock: Any) -> None:
    async def guess() -> int:
        answer = await site.raw(
            "POST",
            "/api/v1/login/access-token",
            json={**ACCOUNT, "password": "wrong-wrong"},
            scope_base={"client": ("203.0.113.9", 5)},
        )
        return int(answer.status_code)

    statuses = [await guess() for _ in range(PAIR_TRIES + 5)]
    assert statuses == [401] * PAIR_TRIES + [429] * 5
    found = await actions(site)
    assert (found.count("sign_in_failed"), found.count("sign_in_refused")) == (PAIR_TRIES, 1)
    await trio.sleep(TELL_EVERY_S)
    assert {await guess() for _ in range(2 * PAIR_TRIES + 5)} == {401, 429}
    assert (await actions(site)).count("sign_in_refused") == 2


async def test_the_log_is_a_file_too_and_no_spreadsheet_calculates_with_it(site: Site) -> None:
    user = await site.service.store.user_by_email(ACCOUNT["email"])
    assert user is not None
    evil = {"User-Agent": "=cmd|' /C calc'!A0"}
    await site.raw("POST", "/api/v1/login/access-token", json=ACCOUNT, headers=evil)
    for n in range(PAGE):
        await site.post("/products", {"sku": f"-{n}", "name": "p", "price": "1", "stock": 1})
    await trio.testing.wait_all_tasks_blocked()
    answer = await site.raw("GET", "/api/v1/audit-log/export")
    assert answer.content_type == "text/csv; charset=utf-8"
    head, *rows = csv.reader(io.StringIO(await answer.get_data(as_text=True)))
    assert head == ["at", "action", "subject", "address", "agent"]
    assert len(rows) == PAGE + 2
    assert rows[0][:3:2] == [rows[0][0], f"'-{PAGE - 1}"]
    assert rows[-2][4] == "'" + evil["User-Agent"]
    assert (await actions(site))[0] == "activity_exported"
