"""No step of a task blocks the event loop, with megabytes in and out and rules that match nothing.

The check itself is at the end of every real test (`harness.check_nobody_held_the_loop`).
"""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from protocol.codec import BODY_BYTES_MAX as JSON_BYTES
from protocol.device.values import TEXT_BYTES_MAX
from tests.real.harness import (
    DeviceClient,
    Person,
    Roost,
    check_nobody_held_the_loop,
    eventually,
    metric,
    open_socket,
)

BODY_BYTES = 1_000_000
FIRST_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """A separate server, because it is loaded heavily and its servers are killed."""
    return own_roost


@pytest.fixture(autouse=True)
def held(roost: Roost) -> Any:
    """Steps that blocked the loop, in any of these tests."""
    yield
    check_nobody_held_the_loop(roost)


def feed_of(person: Person, key: str, kind: str = "number") -> str:
    made: dict[str, Any] = person.post("/feeds", {"key": key, "name": key, "kind": kind})
    return str(made["id"])


def csv_of(row: str) -> bytes:
    rows, size, n = ["ts,value"], 0, 0
    while size < BODY_BYTES:
        rows.append(row.format(ms=FIRST_MS + n * 1000, n=n))
        size += len(rows[-1].encode()) + 1
        n += 1
    return "\n".join(rows).encode()


def imported(person: Person, feed_id: str, body: bytes) -> Any:
    path = f"/feed-values/{feed_id}/import"
    answer = person.call("POST", path, content=body, headers={"content-type": "text/csv"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_readings_are_imported_and_exported_by_the_megabyte(ada: Person) -> None:
    feed = feed_of(ada, "loop-import")
    told = imported(ada, feed, csv_of("{ms},{n}"))
    assert told["stored"] > 50_000
    for accept in ("text/csv", "application/x-ndjson"):
        answer = ada.call("GET", f"/feed-values/{feed}", headers={"accept": accept})
        assert answer.text.count("\n") >= told["stored"]
    for query in ({"bucket": "1m"}, {"max_points": 1000}, {"limit": 1000}):
        assert ada.get(f"/feed-values/{feed}", **query)["items"]


def test_rows_that_are_all_wrong_are_refused_in_portions(ada: Person) -> None:
    told = imported(ada, feed_of(ada, "loop-wrong"), csv_of("{ms},x{n}"))
    assert told["refused"] > 40_000


def test_long_texts_and_one_row_of_a_megabyte(ada: Person) -> None:
    feed = feed_of(ada, "loop-texts", "text")
    text = "é" * (TEXT_BYTES_MAX // 2 - 10)
    assert imported(ada, feed, csv_of("{ms},{n} " + text))["stored"]
    path = f"/feed-values/{feed}/import"
    body = b'ts,value\n1,"' + b'""' * (BODY_BYTES // 2) + b'"\n'
    answer = ada.call("POST", path, content=body, headers={"content-type": "text/csv"})
    assert answer.status_code in (200, 400)


def test_a_thousand_devices_are_imported(ada: Person) -> None:
    ada.import_devices([f"loop-{n},{'x' * 50}" for n in range(1_000)])
    assert len(ada.get("/devices", limit=1000)["items"]) == 1_000


@pytest.mark.parametrize(
    "body",
    [
        b"ts,value" + b",x" * (BODY_BYTES // 2) + b"\n",
        b"ts,value\n1700000000,1" + b",x" * (BODY_BYTES // 2) + b"\n",
        b'ts,value\n1700000000,"1"' + b',"\n"' * (BODY_BYTES // 5) + b"\n",
        b"ts,value" + (b"\n1700000000,1" + b",x" * 2_000) * (BODY_BYTES // 4_020),
        b"device_code,name" + b",x" * (BODY_BYTES // 2) + b"\n",
        b"device_code\n" + b"x\n" * (BODY_BYTES // 2),
        b"device_code,name" + (b"\na,b" + b"," * 500) * (BODY_BYTES // 504),
    ],
    ids=["header", "row", "lines", "rows", "devices", "many devices", "wide devices"],
)
def test_csv_of_very_many_columns_or_rows(ada: Person, body: bytes) -> None:
    feed = ada.call("GET", "/feeds").json()["items"]
    number = feed[0]["id"] if feed else feed_of(ada, "loop-columns")
    for path in (f"/feed-values/{number}/import", "/devices/import"):
        for _ in range(3):
            kind = {"content-type": "text/csv"}
            answer = ada.call("POST", path, content=body, headers=kind)
            assert answer.status_code in (200, 400, 422), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * (BODY_BYTES // 2) + b"1]",
        b"{" + b",".join(b'"%d":1' % n for n in range(BODY_BYTES // 11)) + b"}",
        b'{"email": "x@example.org", "password": "' + b"x" * BODY_BYTES + b'"}',
        b'{"a":' * (BODY_BYTES // 5),
        b"\xff" * BODY_BYTES,
        b"{" + b",".join([b'"name":"a"'] * (BODY_BYTES // 11)) + b"}",
        b"{" + b",".join([b'"name":"a"'] * (JSON_BYTES // 11 - 1)) + b"}",
        b"{" + b",".join([b'"device_code":"a"'] * (JSON_BYTES // 18 - 1)) + b"}",
        b"{" + b",".join(b'"%d":[]' % n for n in range(JSON_BYTES // 9 - 1)) + b"}",
        b'{"name":[' + b"{}," * (JSON_BYTES // 3 - 10) + b"{}]}",
    ],
    ids=[
        *("array", "object", "text", "deep", "no UTF-8"),
        *("one key", "one key, taken", "another, taken", "object, taken", "objects, taken"),
    ],
)
def test_json_bodies_of_a_megabyte_are_refused(ada: Person, body: bytes) -> None:
    for path in ("/devices", "/feeds", "/products", "/media-schedules", "/orders"):
        answer = ada.call("POST", path, content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text


def test_pages_of_the_operator_and_of_the_newcomer(ada: Person, roost: Roost) -> None:
    for path in ("/openapi.json", "/docs", "/metrics", "/", "/readyz"):
        assert ada.http.get(roost.url + path).status_code in (200, 404), path


async def test_a_dashboard_of_a_thousand_devices(ada: Person, roost: Roost) -> None:
    for batch in ("", "?batch=1"):
        async with open_socket(roost, batch, [("x-auth-token", ada.token)]) as screen:
            await screen.next()


def test_a_form_of_a_megabyte_is_no_login(ada: Person) -> None:
    body = b"username=a&password=b&" + b"x=1&" * (BODY_BYTES // 4 - 10)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = ada.call("POST", "/login/access-token", content=body, headers=kind)
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MINUTELY",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3",
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=WEEKLY;INTERVAL=999;BYDAY=MO",
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_previews_of_hard_rules(ada: Person, rule: str, zone: str) -> None:
    for trigger in ("1990-01-01T00:00:00Z", "2026-01-01T00:00:00Z"):
        body = {
            "device_id": "00000000-0000-4000-8000-000000000000",
            "media_id": "00000000-0000-4000-8000-000000000000",
            "trigger_time": trigger,
            "timezone": zone,
            "recurrence": rule,
            "exclusions": [f"2026-{m:02}-{d:02}" for m in range(1, 13) for d in range(1, 29)],
        }
        answer = ada.call("POST", "/schedule-previews", json=body)
        assert answer.status_code in (200, 422), answer.text


def test_messages_of_devices_of_the_greatest_size(ada: Person, roost: Roost) -> None:
    device = ada.device("loop", "t")
    client = DeviceClient(roost, device["mqtt"])
    for _ in range(5):
        entries = [{"key": "t", "value": n, "ts": FIRST_MS + n} for n in range(2_000)]
        client.publish("feeds", json.dumps(entries)[:250_000])
        client.publish("feeds/t", b"[" * 250_000)
    eventually(lambda: metric(roost, "roost_mqtt_in_flight"), lambda count: count == 0)
    assert ada.rejected()


def test_a_restart_of_the_database_is_no_stop_of_the_service(ada: Person, roost: Roost) -> None:
    for server in ("postgres", "nats-server"):
        os.kill(roost.pid_of(server), signal.SIGKILL)
        eventually(lambda: ada.http.get(roost.url + "/readyz").json()["status"] != "ready")
        eventually(lambda: ada.http.get(roost.url + "/readyz").status_code, lambda s: s == 200)


def test_people_who_sign_in_do_not_hold_it(roost: Roost, ada: Person) -> None:
    account = {"email": ada.email, "password": "correct-horse"}

    def sign_in() -> None:
        with httpx.Client(timeout=60) as http:
            http.post(roost.url + "/api/v1/login/access-token", json=account)

    threads = [threading.Thread(target=sign_in) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_the_figures_are_in_the_metrics(roost: Roost) -> None:
    page = httpx.get(roost.url + "/metrics").text
    assert 'roost_loop_lag_seconds_bucket{le="0.05"}' in page
    assert metric(roost, "roost_loop_lag_seconds_count") > 10
    assert metric(roost, "roost_loop_held_total") == 0
    assert 'roost_loop_worst_step_seconds{clock="cpu"}' in page
    assert metric(roost, "roost_log_lines_dropped_total") == 0


def test_the_check_sees_who_holds_it(tmp_path: Path) -> None:
    class Fake:
        log = ""
        looked_at = 0
        was_stopped = False

    def step(cpu_s: float, wall_s: float) -> str:
        told = {"task": "x", "then_at": "y", "cpu_s": cpu_s, "wall_s": wall_s}
        return json.dumps({**told, "event": "a step held the event loop"})

    roost: Any = Fake()
    for lines in ([step(0.2, 0.2)], [step(0.0, 1.5)], [step(0.06, 0.06)] * 3):
        roost.log = "\n".join(lines)
        with pytest.raises(AssertionError, match="a step held"):
            check_nobody_held_the_loop(roost)
    roost.log = step(0.06, 0.6)  # once, and only just
    check_nobody_held_the_loop(roost)
