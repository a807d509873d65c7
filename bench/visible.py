"""From publish to a row that others see, beside a bare INSERT; and from publish to a dashboard.

    python -m bench.visible [MESSAGES_PER_S] [SECONDS] [--mosquitto]

While so many messages a second (100) are published at QoS 1, a probe is published and polled for in
the table of readings, in turns with a bare INSERT and COMMIT of such a row that is polled for
alike. An open dashboard notes when it has the probe. Prints JSON: medians and 99th percentiles in
ms, and the ratio of the rows'.
"""

import asyncio
import json
import multiprocessing
import random
import statistics
import sys
import threading
import time
from typing import Any

import asyncpg

from bench.fanout import Reader
from bench.service import Service, beside, running
from roost.embedded.postgres import url_of
from tests.support import wire

DEVICES = 100
PROBE_EVERY_S = 0.02
TICK_S = 0.001  # the load's publisher looks at its clock so often
WARM_S = 2.0
VISIBLE_WITHIN_S = 10.0

_IS_THERE = "SELECT FROM feed_values WHERE feed_num = $1 AND number = $2"
_INSERT = """
INSERT INTO feed_values (feed_num, device_num, ts, digest, number, flagged)
VALUES ($1, $2, now(), $3::float8::bigint, $3, false)
"""


def load(port: int, password: str, user_id: str, per_s: float, until: Any) -> None:
    line = wire.connect("127.0.0.1", port, "bench-visible", "roost", password)
    line.setblocking(True)
    began_s, n = time.monotonic(), 0
    reader = threading.Thread(target=_swallow, args=(line,), daemon=True)
    reader.start()
    while not until.is_set():
        while n < per_s * (time.monotonic() - began_s):
            topic = f"users/{user_id}/devices/v{n % DEVICES}/feeds/t"
            wire.send(line, topic, b'{"value":%d}' % n)
            n += 1
        time.sleep(TICK_S)


def _swallow(line: Any) -> None:
    while line.recv(1 << 16):
        pass


class Dashboard(threading.Thread):
    """Notes when it has which value of the probe's feed."""

    def __init__(self, service: Service, feed_id: str) -> None:
        super().__init__(daemon=True)
        self.reader = Reader(service.url, service.token, batch=False)
        self.mark = f'"feed_id":"{feed_id}"'.encode()
        self.at_s: dict[int, float] = {}

    def run(self) -> None:
        data = self.reader.rest
        while piece := self.reader.line.recv(1 << 20):
            now_s = time.perf_counter()
            *lines, data = (data + piece).split(b'{"type":"feed_value",')
            for line in [*lines, data]:
                if line.startswith(self.mark) and b'"value":' in line:
                    value = line.split(b'"value":')[1].split(b",")[0]
                    self.at_s.setdefault(round(float(value)), now_s)


async def until_there(database: Any, feed_num: int, value: float) -> None:
    began_s = time.perf_counter()
    while await database.fetchrow(_IS_THERE, feed_num, value) is None:
        if time.perf_counter() - began_s > VISIBLE_WITHIN_S:
            raise RuntimeError("a row did not come")


async def probe(
    url: str, service: Service, topic: str, nums: tuple[int, int], for_s: float, board: Dashboard
) -> dict[str, list[float]]:
    """Latencies in ms."""
    found: dict[str, list[float]] = {"row": [], "bare": [], "socket": []}
    polling, writing = await asyncpg.connect(url), await asyncpg.connect(url)
    login = "bench-probe", "roost", service.mqtt_password
    line = wire.connect("127.0.0.1", service.mqtt_port, *login)
    feed_num, bare_num = nums
    began_s, n = time.perf_counter(), 1_000_000
    while time.perf_counter() - began_s < for_s:
        n += 1
        sent_s = time.perf_counter()
        wire.send(line, topic, b'{"value":%d}' % n)
        await until_there(polling, feed_num, n)
        found["row"].append((time.perf_counter() - sent_s) * 1000)
        wire.answers(line, 1)
        await asyncio.sleep(PROBE_EVERY_S * random.random())
        bare_s = time.perf_counter()
        await writing.execute(_INSERT, bare_num, 1, n)
        await until_there(polling, bare_num, n)
        found["bare"].append((time.perf_counter() - bare_s) * 1000)
        found["socket"].append((board.at_s.get(n, float("inf")) - sent_s) * 1000)
        await asyncio.sleep(PROBE_EVERY_S * random.random())
    await polling.close()
    await writing.close()
    return found


async def numbers(url: str, *ids: str) -> list[int]:
    database = await asyncpg.connect(url)
    query = "SELECT num FROM feeds WHERE id = $1::text::uuid"
    nums = [await database.fetchval(query, each) for each in ids]
    await database.close()
    return nums


def measure(service: Service, url: str, per_s: float, for_s: float) -> dict[str, Any]:
    user_id = service.sign_in()["id"]
    service.post("/feeds", {"key": "t", "name": "t"})
    for n in range(DEVICES):
        service.post("/devices", {"device_code": f"v{n}", "name": f"v{n}"})
    device = service.post("/devices", {"device_code": "probe", "name": "probe"})
    ids = [
        service.post("/feeds", {"key": key, "name": key, "device_id": device["id"]})["id"]
        for key in ("probe", "bare")
    ]
    nums = asyncio.run(numbers(url, *ids))
    board = Dashboard(service, ids[0])
    board.start()
    until = multiprocessing.Event()
    given = (service.mqtt_port, service.mqtt_password, user_id, per_s, until)
    loading = multiprocessing.Process(target=load, args=given)
    loading.start()
    time.sleep(WARM_S)  # actors start, and plans are made
    topic = f"users/{user_id}/devices/probe/feeds/probe"
    found = asyncio.run(probe(url, service, topic, (nums[0], nums[1]), for_s, board))
    until.set()
    loading.join()
    told: dict[str, Any] = {"per_s": per_s, "probes": len(found["row"])}
    for name, ms in found.items():
        cuts = statistics.quantiles(ms, n=100)
        told[f"{name}_p50_ms"], told[f"{name}_p99_ms"] = round(cuts[49], 2), round(cuts[98], 2)
    told["rows_p99_ratio"] = round(told["row_p99_ms"] / told["bare_p99_ms"], 2)
    return told


def main() -> None:
    given = [float(each) for each in sys.argv[1:] if not each.startswith("--")]
    per_s, for_s = (given + [100.0, 20.0][len(given) :])[:2]
    quiet = ("--log-level", "warning")
    if "--mosquitto" in sys.argv:
        with beside() as servers, servers.roost(*quiet) as service:
            print(json.dumps(measure(service, servers.database_url, per_s, for_s)))
    else:
        with running(*quiet) as service:
            print(json.dumps(measure(service, url_of(service.data_dir / "postgres"), per_s, for_s)))


if __name__ == "__main__":
    main()
