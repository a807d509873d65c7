"""What is stored about devices, commands, plays, deliveries and the account is said in the reader's
language: no English sentence of Roost's. What devices and receivers say is a quotation."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from protocol.problems import messages, outcomes
from tests.dashboard.refusals import ENGLISH, Vietnamese
from tests.dashboard.screen import Screens, go
from tests.real.harness import DeviceClient, Person, Roost, eventually
from tests.support import wire

LIMITS = {"max_value": 50, "on_violation": "flag"}
WRONG = [
    *(("feeds/nowhere", "1"), ("feeds/n", "warm"), ("feeds/n", "{"), ("feeds", "{}")),
    *(("feeds/n", '{"ts": "yesterday", "value": 1}'), ("feeds/n", '{"ts": 5, "value": 1}')),
    *(("status", '{"colour": "red", "humidity": "wet"}'), ("commands/none/ack", "{}")),
    *(("readings", "1"), ("feeds/n", "")),
]


@pytest.fixture
def vi(screens: Screens) -> Vietnamese:
    return Vietnamese(screens)


def table(page: Page, caption: str) -> str:
    """What a table says, without what is a code (topics, payloads) and what is a quotation."""
    expect(page.get_by_role("table", name=caption)).to_be_visible()
    cells: list[str] = (
        page.get_by_role("table", name=caption)
        .locator("td > div")
        .evaluate_all(
            """cells => cells.map(cell => {
            const copy = cell.cloneNode(true)
            copy.querySelectorAll("code, button, a").forEach(each => each.remove())
            return copy.textContent
        })"""
        )
    )
    return "\n".join(re.sub("“[^”]*”", "“”", cell) for cell in cells)


def check(page: Page, caption: str, records: list[dict[str, Any]], *expected: str) -> None:
    """Each record is told in Vietnamese."""
    text = table(page, caption)
    assert not (found := ENGLISH.search(text)), (found, text)
    for record in records:
        if record["code"] is not None:
            assert record["detail"] not in text, record
    for each in expected:
        assert each in text, text


def wait_for(person: Person, path: str, right: Callable[[Any], object]) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = person.get(path)["items"]
        return items

    told: list[dict[str, Any]] = eventually(found, lambda items: items and all(map(right, items)))
    return told


def test_what_is_refused_of_a_device(vi: Vietnamese, roost: Roost, ada: Person) -> None:
    device = ada.device("wrong-1", "n")
    client = DeviceClient(roost, device["mqtt"])
    for tail, payload in WRONG:
        client.publish(tail, payload)
    client.client.publish("elsewhere", b"1", 1).wait_for_publish(5)
    path = f"/devices/{device['id']}/messages"
    said = eventually(
        lambda: ada.get(path)["items"],
        lambda items: any(each["reason"] == "denied" for each in items),
    )
    refused = eventually(
        lambda: [each for each in ada.get(path)["items"] if each["reason"]],
        lambda items: len(items) >= len(WRONG),
    )
    assert all(each["code"] for each in refused), refused
    assert all(each["code"] for each in ada.rejected())
    assert {each["reason"] for each in said} > {"denied"}
    page = vi.page(ada, f"/devices/{device['id']}?tab=messages")
    check(
        page,
        "Tin gần đây",
        refused,
        "Bị từ chối: không có kênh này (thiết bị này không có kênh 'nowhere')",
        "Bị từ chối: giá trị không hợp lệ ('warm' không phải là số)",
    )
    client.close()


def test_why_alarms_are_raised(vi: Vietnamese, roost: Roost, bob: Person) -> None:
    device, quiet = bob.device("alarm-1", "n", **LIMITS), bob.device("alarm-2")
    bob.call("PATCH", f"/devices/{quiet['id']}", json={"offline_after_s": 1})
    client, other = (DeviceClient(roost, each["mqtt"]) for each in (device, quiet))
    other.publish("status", {"status": "online"})
    client.publish("feeds/n", 60)
    eventually(lambda: bob.get("/alarms", device_id=device["id"])["items"])
    client.publish("status", {"status": "offline"})
    eventually(lambda: bob.get("/alarms", device_id=device["id"])["items"], lambda a: len(a) == 2)
    client.close()
    access = device["mqtt"]
    for _ in range(3):
        login = access["client_id"], access["username"], access["password"]
        with (
            wire.connect("127.0.0.1", roost.mqtt_port, *login) as line,
            pytest.raises(ConnectionError),
        ):
            wire.publish_once(line, f"{access['topic_prefix']}/feeds/living room", b"1", 1, False)
    alarms = eventually(lambda: bob.get("/alarms")["items"], lambda items: len(items) == 4)
    assert {each["code"] for each in alarms} == {
        *("value_above", "offline_reported", "offline_silent", "loop_space")
    }
    # Where the limits were changed, the alarm says itself what was wrong.
    bob.call("PATCH", f"/feeds/{device['feeds']['n']}", json={"max_value": 100})
    page = vi.page(bob, "/alarms")
    check(
        page,
        "Báo động",
        alarms,
        "60 cao hơn mức tối đa 50",
        "Báo ngoại tuyến, hoặc mất kết nối",
        "Không gửi gì trong hơn 1 giây",
        "Thiết bị bị ngắt kết nối liên tục: chủ đề của một tin",
    )
    other.close()


def test_what_became_of_commands_and_plays(vi: Vietnamese, roost: Roost, ada: Person) -> None:
    device, absent = ada.device("told-1"), ada.device("told-2")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("commands")
    path = f"/devices/{device['id']}/commands"
    stuck = ada.post(path, {"type": "open", "parallel": True})["id"]
    eventually(client.next)
    client.publish(f"commands/{stuck}/ack", {"status": "failed", "detail": "the valve is stuck"})
    client.close()
    ada.call("DELETE", f"/commands/{ada.post(path, {'type': 'close', 'parallel': True})['id']}")
    ada.post(path, {"type": "reboot", "ttl_s": 1, "parallel": True})
    media = ada.call("POST", "/media", files={"file": ("a.txt", b"hello")}).json()
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    plan = {"media_id": media["id"], "device_id": absent["id"], "trigger_time": now}
    schedule = ada.post("/media-schedules", {**plan, "misfire": "skip"})["id"]
    commands = wait_for(ada, path, lambda each: each["finished_at"])
    plays = wait_for(
        ada, f"/media-schedules/{schedule}/occurrences", lambda each: each["state"] == "missed"
    )
    page = vi.page(ada, f"/devices/{device['id']}?tab=commands")
    check(page, "Lệnh", commands, "Đã hủy", "Thiết bị không trả lời kịp", "“”")
    expect(page.get_by_role("table", name="Lệnh")).to_contain_text("“the valve is stuck”")
    go(page, f"/schedules/{schedule}")
    check(page, "Lịch sử phát", plays, "Thiết bị đang ngoại tuyến")


def test_why_deliveries_failed_and_what_was_done(vi: Vietnamese, roost: Roost, ada: Person) -> None:
    device = ada.device("log-1", "n")
    ada.import_devices(["log-2,two", "log-3,three"])
    ada.call("DELETE", f"/feed-values/{device['feeds']['n']}")
    ada.call("DELETE", "/rejected-messages")
    hook = ada.post("/webhooks", {"url": "http://localhost:9/in"})["id"]
    ada.post(f"/webhooks/{hook}/test")
    tried = wait_for(ada, f"/webhooks/{hook}/deliveries", lambda each: each["detail"])
    page = vi.page(ada, "/settings?tab=webhooks")
    page.get_by_role("button", name="Thao tác với http://localhost:9/in").click()
    page.get_by_role("menuitem", name="Lần gửi").click()
    check(page, "Lần gửi", tried, "localhost không có địa chỉ nào trên mạng công cộng")
    page.keyboard.press("Escape")
    log = eventually(
        lambda: ada.get("/audit-log")["items"],
        lambda items: {"rejections_deleted", "history_deleted"} <= {e["action"] for e in items},
    )
    go(page, "/settings?tab=audit")
    entries = [{**each, "detail": each["subject"]} for each in log]
    check(page, "Nhật ký hoạt động", entries, "2 thiết bị từ một tệp", "n: 0 số đo", " tin")


def test_every_text_that_a_record_can_have(vi: Vietnamese, ada: Person) -> None:
    """All codes, as the API would send them; with old records and others' words between them."""
    texts = messages.TEXTS | outcomes.TEXTS
    params = dict.fromkeys(re.findall(r"\{(\w+)\}", " ".join(texts.values())), 7)
    command = {"type": "t", "state": "failed", "attempts": 1, "created_at": "2026-01-01T00:00:00Z"}
    records = [
        {"id": code, "detail": text, "code": code, "params": params, **command}
        for code, text in texts.items()
    ]
    old = {"id": "old", "detail": "it is stuck", "code": None, "params": {}, **command}
    body = json.dumps({"items": [*records, old], "next": None})
    device = ada.device("every-1")
    page = vi.page(ada)

    def answer(route: Route) -> None:
        route.fulfill(body=body, content_type="application/json")

    page.route(re.compile(r"/devices/[0-9a-f-]+/commands"), answer)
    go(page, f"/devices/{device['id']}?tab=commands")
    check(page, "Lệnh", records)
    text = page.get_by_role("table", name="Lệnh").inner_text()
    assert "“it is stuck”" in text
    assert "{" not in text
