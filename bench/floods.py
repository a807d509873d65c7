"""One device that sends far too much: how it delays others, and what happens to it.

    python -m bench.floods [RATE] [QOS] [SECONDS] [OPTIONS OF ROOST UP]

A hundred devices of one user publish each second; the time is measured from publish to the socket.
First it is quiet, then a device of another user sends RATE messages a second (5,000; 0: as many as
it can), for SECONDS (20). Devices in its partition are shown separately.
"""

import json
import multiprocessing
import statistics
import struct
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import trio
from trio_websocket import open_websocket_url

from bench.due import cpu_s
from bench.service import Service, running
from protocol.device.topics import partition
from roost.embedded.broker_config import PARTITIONS
from tests.support import wire

OTHERS = 100
EVERY_S = 1.0
QUIET_S = 15.0
AFTER_S = 10.0
LATE_WITHIN_S = 60.0
AT_ONCE = 200
PACE_S = 0.005
PACKET_IDS = 60_000


def flood(
    port: int,
    login: tuple[str, str, str],
    topic: str,
    rate: float,
    qos: int,
    for_s: float,
    told: Any,
) -> None:
    """In a process of its own: as many as it can, or so many a second, until it is disconnected."""
    sent = 0
    at_once = max(1, round(rate * PACE_S)) if rate else AT_ONCE
    began_s = time.monotonic()
    with wire.connect("127.0.0.1", port, *login) as line:
        answered = [0]
        came = threading.Condition()

        def listen() -> None:
            try:
                while data := line.recv(1 << 16):
                    with came:
                        answered[0] += len(data) // 4
                        came.notify()
            except OSError:
                return

        threading.Thread(target=listen, daemon=True).start()
        try:
            while (passed_s := time.monotonic() - began_s) < for_s:
                if rate and sent > rate * passed_s:
                    time.sleep(PACE_S)  # the pace that was asked for
                    continue
                if qos and sent - answered[0] > PACKET_IDS - at_once:
                    with came:  # all packet ids wait for their answers
                        came.wait(PACE_S)
                    continue
                line.sendall(b"".join(_packet(topic, sent + n, qos) for n in range(at_once)))
                sent += at_once
            ended = "it stopped by itself"
        except OSError as error:
            ended = f"disconnected: {error}"
    told.put((sent, answered[0], time.monotonic() - began_s, ended))


def _packet(topic: str, n: int, qos: int) -> bytes:
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name
    if qos:
        body += struct.pack("!H", n % PACKET_IDS + 1)
    body += b'{"value":%d}' % n
    return bytes([0x30 | qos << 1, 0x80 | len(body) & 0x7F, len(body) >> 7]) + body


class Others:
    """Devices that publish each second, and the dashboard of their user."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.times: list[tuple[float, float, int]] = []  # when, how long, which device
        self.sent = 0
        self._since: dict[int, tuple[float, int]] = {}
        user = service.sign_in()
        self._lines = []
        self.partitions = []
        for n in range(OTHERS):
            device = service.post("/devices", {"device_code": f"o{n}", "name": f"o{n}"})
            service.post("/feeds", {"key": "t", "name": "t", "device_id": device["id"]})
            access = device["mqtt"]
            login = (access["client_id"], access["username"], access["password"])
            line = wire.connect("127.0.0.1", service.mqtt_port, *login)
            self._lines.append((line, f"{access['topic_prefix']}/feeds/t"))
            self.partitions.append(partition(user["id"], f"o{n}", PARTITIONS))

    async def say(self) -> None:
        began_s = trio.current_time()
        while True:
            which = self.sent % OTHERS
            line, topic = self._lines[which]
            self.sent += 1
            self._since[self.sent] = time.time(), which
            wire.send(line, topic, b'{"value":%d}' % self.sent)
            if self.sent % 10 == 0:
                for each, _ in self._lines[which - 9 : which + 1]:
                    await trio.to_thread.run_sync(wire.answers, each, 1)
            await trio.sleep_until(began_s + self.sent * EVERY_S / OTHERS)

    async def hear(self) -> None:
        url = self.service.url.replace("http", "ws", 1)
        async with open_websocket_url(f"{url}/ws/devices?token={self.service.token}") as socket:
            await socket.send_message('{"type":"subscribe","channels":["feeds"]}')
            while True:
                frame = json.loads(await socket.get_message())
                if frame["type"] == "feed_value":
                    since = self._since.pop(int(frame["value"]), None)
                    if since is not None:
                        self.times.append((since[0], time.time() - since[0], since[1]))

    def told(self, what: str, from_s: float, to_s: float, among: Sequence[int]) -> None:
        mine = [took for at, took, which in self.times if from_s <= at < to_s and which in among]
        missing = sum(from_s <= at < to_s and which in among for at, which in self._since.values())
        cuts = statistics.quantiles(mine, n=100) if len(mine) > 1 else [0.0] * 99
        result = {
            "what": what,
            "count": len(mine),
            "never": missing,
            "median_ms": round(cuts[49] * 1000, 1),
            "p99_ms": round(cuts[98] * 1000, 1),
            "max_ms": round(max(mine, default=0.0) * 1000, 1),
        }
        print(json.dumps(result), flush=True)


async def measure(service: Service, rate: float, qos: int, for_s: float) -> None:
    service.sign_in("flood@roost.local")
    device = service.post("/devices", {"device_code": "flood", "name": "flood"})
    service.post("/feeds", {"key": "t", "name": "t", "device_id": device["id"]})
    access, headers = device["mqtt"], dict(service.http.headers)
    login = (access["client_id"], access["username"], access["password"])
    topic = f"{access['topic_prefix']}/feeds/t"
    hers = partition(topic.split("/")[1], "flood", PARTITIONS)
    others = Others(service)
    same = [n for n, each in enumerate(others.partitions) if each == hers]
    rest = [n for n, each in enumerate(others.partitions) if each != hers]
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    process = context.Process(
        target=flood, args=(service.mqtt_port, login, topic, rate, qos, for_s, said)
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others.hear)
        await trio.sleep(1)
        nursery.start_soon(others.say)
        await trio.sleep(5)
        quiet_s, quiet_cpu_s = time.time(), cpu_s(service.pid)
        await trio.sleep(QUIET_S)
        begin_s, begin_cpu_s = time.time(), cpu_s(service.pid)
        process.start()
        sent, answered, lasted_s, ended = await trio.to_thread.run_sync(said.get)
        end_s, end_cpu_s = time.time(), cpu_s(service.pid)
        await trio.sleep(AFTER_S)
        last_s = time.time()
        with trio.move_on_after(LATE_WITHIN_S):
            while any(at < last_s for at, _ in others._since.values()):  # noqa: ASYNC110
                await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    process.join()
    per_s = round(sent / lasted_s)
    idle = (begin_cpu_s - quiet_cpu_s) / (begin_s - quiet_s)
    more_s = end_cpu_s - begin_cpu_s - idle * (end_s - begin_s)
    used = {"quiet_percent": round(100 * idle), "more_us_a_message": round(1e6 * more_s / sent)}
    print(json.dumps({"what": "CPU of Roost", **used}))
    flooder = {"what": "the flood", "sent": sent, "per_s": per_s, "answered": answered}
    print(json.dumps({**flooder, "lasted_s": round(lasted_s, 2), "ended": ended}))
    for name, among in (("its partition", same), ("the others", rest)):
        others.told(f"{name}, quiet", quiet_s, begin_s, among)
        others.told(f"{name}, meanwhile", begin_s, end_s, among)
        others.told(f"{name}, the {AFTER_S:.0f} s after", end_s, last_s, among)
    service.http.headers.update(headers)
    print(json.dumps({"account": service.get(f"/devices/{device['id']}/account")}))
    print(json.dumps({"flood": service.get(f"/devices/{device['id']}")["flood"]}), flush=True)


def main() -> None:
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 5_000.0
    qos = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for_s = float(sys.argv[3]) if len(sys.argv) > 3 else 20.0
    with running("--log-level", "warning", *sys.argv[4:]) as service:
        trio.run(measure, service, rate, qos, for_s)


if __name__ == "__main__":
    main()
