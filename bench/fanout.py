"""Statuses of one user's devices on many open dashboards: which keep up, and how late each frame
is.

    python -m bench.fanout [STATUSES_PER_S] [SOCKETS] [SECONDS] [--batch] [--mosquitto]

A hundred devices publish their status with QoS 1, STATUSES_PER_S (500) in all, while SOCKETS (50)
of their user are open. The publisher puts its clock into the temperature. A reader in a separate
process takes frames from bare sockets, checks that their `seq` has no gap, and computes how late
each is. An update that was coalesced is missing in `updates`. Prints JSON.
"""

import json
import multiprocessing
import re
import select
import selectors
import socket
import statistics
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from bench.due import cpu_s
from bench.service import Service, on_mosquitto, running
from tests.support import wire

DEVICES = 100
TICK_S = 0.001  # the publisher looks at its clock so often
# More than one user, or one address, may usually have.
ROOM = ("--dashboards-of-user", "2000", "--http-connections-of-address", "2100")
QUIET_S = 3.0  # when nothing has arrived for this long, everything has
_TEMPERATURE = re.compile(rb'"temperature":([0-9.]+)')
_SEQ = re.compile(rb'"seq":(\d+)')


def clock_ms() -> float:
    """One clock for all processes, within what a temperature may be."""
    return time.time() % 900 * 1000


def statuses(port: int, password: str, user_id: str, per_s: float, for_s: float) -> None:
    line = wire.connect("127.0.0.1", port, "bench-fanout", "roost", password)
    began_s, n = time.monotonic(), 0
    while (passed_s := time.monotonic() - began_s) < for_s:
        while n < per_s * passed_s:
            payload = b'{"status":"online","temperature":%.3f}' % clock_ms()
            topic = f"users/{user_id}/devices/f{n % DEVICES}/status"
            wire.send(line, topic, payload)
            n += 1
        if select.select([line], [], [], TICK_S)[0]:
            line.recv(1 << 16)  # acknowledgements


class Reader:
    """One dashboard: a bare socket that reads text frames."""

    def __init__(self, url: str, token: str, batch: bool) -> None:
        address = urlsplit(url)
        self.line = socket.create_connection((address.hostname, address.port))
        wish = "&batch=1" if batch else ""
        self.line.sendall(
            f"GET /ws/devices?token={token}{wish} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.line.recv(1 << 16)
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.seq = 0
        self.gaps = 0

    def late_ms(self) -> list[float]:
        """How late each arrived update is; reads what is there."""
        data = self.rest + self.line.recv(1 << 20)
        now_ms = clock_ms()
        late = []
        at = 0
        while len(data) - at >= 2:
            size, head = data[at + 1] & 127, 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4]), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10]), 10
            if len(data) - at < head + size:
                break
            frame = data[at + head : at + head + size]
            if data[at] & 15 == 1:
                for seq in _SEQ.findall(frame):
                    self.gaps += int(seq) != self.seq + 1
                    self.seq = int(seq)
                if not frame.startswith(b'{"type":"device_list"'):
                    late += [now_ms - float(said) for said in _TEMPERATURE.findall(frame)]
            at += head + size
        self.rest = data[at:]
        return late


def read(url: str, token: str, sockets: int, batch: bool, until: Any, told: Any) -> None:
    """In a process of its own, until it is told that the last has been published."""
    readers = [Reader(url, token, batch) for _ in range(sockets)]
    told.put("ready")
    late: list[float] = []
    first_s = last_s = 0.0
    with selectors.DefaultSelector() as ready:
        for each in readers:
            ready.register(each.line, selectors.EVENT_READ, each)
        while not (until.is_set() and time.monotonic() - last_s > QUIET_S):
            for key, _ in ready.select(1.0):
                found = key.data.late_ms()
                if found:
                    last_s = time.monotonic()
                    first_s = first_s or last_s
                    late += found
    cuts = statistics.quantiles(late, n=100)
    told.put(
        {
            "updates": len(late),
            "per_s": round(len(late) / (last_s - first_s)),
            "p50_ms": round(cuts[49], 1),
            "p99_ms": round(cuts[98], 1),
            "gaps": sum(each.gaps for each in readers),
        }
    )


def measure(service: Service, per_s: float, sockets: int, for_s: float, batch: bool) -> None:
    user = service.sign_in()
    for n in range(DEVICES):
        service.post("/devices", {"device_code": f"f{n}", "name": f"f{n}"})
    until = multiprocessing.Event()
    told: Any = multiprocessing.Queue()
    reading = (service.url, service.token, sockets, batch, until, told)
    reader = multiprocessing.Process(target=read, args=reading)
    reader.start()
    assert told.get() == "ready"
    publishing = (service.mqtt_port, service.mqtt_password, user["id"], per_s, for_s)
    publisher = multiprocessing.Process(target=statuses, args=publishing)
    before_s = cpu_s(service.pid)
    publisher.start()
    publisher.join()
    spent_s = cpu_s(service.pid) - before_s
    until.set()
    found = told.get()
    reader.join()
    asked = {"statuses_per_s": per_s, "sockets": sockets, "seconds": for_s, "batch": batch}
    wanted = round(per_s * for_s) * sockets
    print(json.dumps({**asked, "wanted": wanted, **found, "cpu": round(spent_s / for_s, 2)}))


def main() -> None:
    given = [float(each) for each in sys.argv[1:] if not each.startswith("--")]
    per_s, sockets, for_s = (given + [500.0, 50.0, 10.0][len(given) :])[:3]
    start = on_mosquitto if "--mosquitto" in sys.argv else running
    with start(*ROOM) as service:
        measure(service, per_s, int(sockets), for_s, "--batch" in sys.argv)


if __name__ == "__main__":
    main()
