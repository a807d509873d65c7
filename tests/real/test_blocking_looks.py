"""The event loop's thread does no file access, name resolution or program start. Exceptions are the
start, and forking an embedded server (`roost/embedded/child.py`), less than a millisecond."""

import os
import signal
from pathlib import Path

import httpx
import pytest
import trio

from tests.real.harness import DeviceClient, Person, Roost, dashboard, eventually, running

SPAWN = "roost/embedded/child.py:spawn"
PAGES = ("/", "/docs", "/openapi.json", "/metrics", "/readyz", "/nothing")
LISTS = ("devices", "feeds", "alarms", "media", "media-schedules", "webhooks", "orders")
ZONES = ("Europe/Berlin", "Asia/Ho_Chi_Minh", "America/Argentina/Ushuaia")


def test_no_task_looks_at_a_file_a_name_or_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request for a day's orders once opened six hundred files."""
    looks = tmp_path / "looks"
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "looks"))
    monkeypatch.setenv("TEST_LOOKS", str(looks))
    with running(tmp_path) as roost:
        assert looks.read_text(), "the instrument saw nothing at the start"
        looks.write_text("")
        use(roost, roost.user())
        os.kill(roost.pid_of("nats-server"), signal.SIGKILL)
        eventually(lambda: status(roost), lambda found: found != "ready")
        eventually(lambda: status(roost), lambda found: found == "ready")
        seen = [line for line in looks.read_text().splitlines() if SPAWN not in line]
    assert seen == []


def status(roost: Roost) -> str:
    return str(httpx.get(roost.url + "/readyz").json()["status"])


def use(roost: Roost, ada: Person) -> None:
    """Use a little of everything."""
    device = ada.device("d", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", {"value": 0})
    eventually(lambda: ada.values(device["feeds"]["t"]), lambda values: values == [0])
    api = roost.url + "/api/v1"
    for path in PAGES:
        assert ada.http.get(roost.url + path).status_code in (200, 404)
    for name in LISTS:
        assert ada.http.get(f"{api}/{name}").status_code == 200
    for zone in ZONES:
        answer = ada.http.get(f"{api}/dashboard/stats", params={"timezone": zone})
        assert answer.status_code == 200
    made = ada.http.post(f"{api}/media", files={"file": ("a.txt", b"hello", "text/plain")}).json()
    assert ada.http.get(f"{api}/media/{made['id']}/content").content == b"hello"
    assert ada.http.delete(f"{api}/media/{made['id']}").status_code == 204
    trio.run(_look, roost, ada)
    client.close()


async def _look(roost: Roost, ada: Person) -> None:
    async with dashboard(roost, ada) as screen:
        await screen.next()
