"""A user with very many devices: how soon open dashboards show them, and what the rest costs.

    python -m bench.tenant [DEVICES] [DASHBOARDS]

So many devices (30,000) of one user say their status once, so that all their actors live. Then so
many dashboards (5) open at once. Prints JSON: seconds until the first devices and until all are on
the slowest of them, the share of a core while nothing happens, and how long a change of a shared
feed takes that ten devices have written, meanwhile with a new device's first reading.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import trio
from trio_websocket import open_websocket_url

from bench.due import cpu_s
from bench.service import Service, running, until
from tests.support import wire

IDLE_S = 20.0
SHOWN_WITHIN_S = 120.0
WRITERS = 10


def speak(service: Service, user_id: str, devices: int) -> None:
    line = wire.connect("127.0.0.1", service.mqtt_port, "bench", "roost", service.mqtt_password)
    topics = (f"users/{user_id}/devices/t{n}/status" for n in range(devices))
    assert wire.publish_all(line, ((topic, b'{"status":"online"}') for topic in topics)) == devices
    # The broker answers at once; the actors live when all of that is stored.
    until(
        lambda: (
            service.metric("roost_device_actors") >= devices
            and not service.metric("roost_mqtt_in_flight")
        )
    )


class Dashboard:
    """Opens, and notes when it had its list, and all devices online."""

    def __init__(self, service: Service, devices: int) -> None:
        address = urlsplit(service.url)
        self.url = f"ws://{address.netloc}/ws/devices?token={service.token}&batch=1"
        self.devices = devices
        self.first_s = self.all_s = 0.0
        self.listed = 0
        self._online: set[str] = set()

    async def run(self, shown: Callable[[], None]) -> None:
        """Until cancelled; `shown` is called when all devices are there."""
        began_s = time.monotonic()
        async with open_websocket_url(self.url, max_message_size=1 << 26) as socket:
            while True:
                frame = json.loads(await socket.get_message())
                for event in frame["events"] if frame["type"] == "batch" else [frame]:
                    self._take(event, time.monotonic() - began_s)
                if not self.all_s and len(self._online) >= self.devices:
                    self.all_s = time.monotonic() - began_s
                    shown()

    def _take(self, event: dict[str, Any], passed_s: float) -> None:
        if event["type"] == "device_list":
            self.first_s, self.listed = passed_s, len(event["devices"])
            self._online |= {d["id"] for d in event["devices"] if d["status"] == "online"}
        elif event["type"] == "device_update":
            self._online.add(event["device"]["id"])


async def watch(service: Service, devices: int, dashboards: int) -> dict[str, Any]:
    opened = [Dashboard(service, devices) for _ in range(dashboards)]
    missing, all_shown = set(opened), trio.Event()

    def shown(by: Dashboard) -> None:
        missing.discard(by)
        if not missing:
            all_shown.set()

    before_s = cpu_s(service.pid)
    async with trio.open_nursery() as nursery:
        for each in opened:
            nursery.start_soon(each.run, partial(shown, each))
        with trio.fail_after(SHOWN_WITHIN_S):
            await all_shown.wait()
        spent_s = cpu_s(service.pid) - before_s
        before_s = cpu_s(service.pid)
        await trio.sleep(IDLE_S)
        idle = (cpu_s(service.pid) - before_s) / IDLE_S
        nursery.cancel_scope.cancel()
    return {
        "listed": opened[0].listed,
        "first_s": round(max(each.first_s for each in opened), 2),
        "all_s": round(max(each.all_s for each in opened), 2),
        "cpu_s": round(spent_s, 2),
        "idle_core": round(idle, 3),
    }


def change_feed(service: Service, user_id: str) -> dict[str, float]:
    feed = service.post("/feeds", {"key": "wind", "name": "Wind"})
    line = wire.connect("127.0.0.1", service.mqtt_port, "wind", "roost", service.mqtt_password)
    written = [(f"users/{user_id}/devices/t{n}/feeds/wind", b"1") for n in range(WRITERS)]
    wire.publish_all(line, written)
    service.post("/devices", {"device_code": "new", "name": "new"})
    began_s = time.monotonic()
    found: dict[str, float] = {}

    def patch() -> None:
        answer = service.http.patch(f"/api/v1/feeds/{feed['id']}", json={"max_value": 5})
        answer.raise_for_status()
        found["patch_s"] = round(time.monotonic() - began_s, 3)

    patching = threading.Thread(target=patch)
    patching.start()
    wire.publish_all(line, [(f"users/{user_id}/devices/new/feeds/wind", b"2")])
    found["first_reading_s"] = round(time.monotonic() - began_s, 3)
    patching.join()
    return found


def measure(service: Service, devices: int, dashboards: int) -> dict[str, Any]:
    user = service.sign_in()
    service.import_devices([f"t{n}" for n in range(devices)])
    speak(service, user["id"], devices)
    return {
        "devices": devices,
        "dashboards": dashboards,
        **trio.run(watch, service, devices, dashboards),
        **change_feed(service, user["id"]),
    }


def main() -> None:
    given = [int(each) for each in sys.argv[1:]]
    devices, dashboards = (given + [30_000, 5][len(given) :])[:2]
    with running("--log-level", "warning", "--devices-of-user", "1000000") as service:
        print(json.dumps(measure(service, devices, dashboards)))


if __name__ == "__main__":
    main()
