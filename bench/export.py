"""A long export, and the deletion of a long history: the service's memory, and delays for others.

    python -m bench.export [DAYS]

DAYS (35) of one reading a second, three million, are made by the database itself. They are
streamed as CSV while the resident memory of the service is watched; then they are deleted, in the
portions in which `retain_days` deletes, too, while a device publishes every 20 ms: how long the
commits of its readings take tells whether the writer is held up.
"""

import json
import re
import statistics
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import trio_asyncio

from bench.charts import fill
from bench.service import Service, running
from roost.embedded.postgres import url_of
from tests.support import wire

EVERY_S = 0.02
CALM_S = 5.0
WITHIN_S = 600.0


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def export(service: Service, feed_id: str) -> None:
    before = resident_mb(service.pid)
    most, size, lines = before, 0, 0
    since = time.monotonic()
    url = f"/api/v1/feed-values/{feed_id}"
    with service.http.stream("GET", url, headers={"Accept": "text/csv"}, timeout=60) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            size += len(part)
            lines += part.count(b"\n")
            most = max(most, resident_mb(service.pid))
    took = time.monotonic() - since
    result = {"rows": lines - 1, "mb": round(size / 1e6), "s": round(took, 1)}
    memory = {"resident_mb_before": round(before), "resident_mb_most": round(most)}
    print(json.dumps({"what": "export as CSV", **result, **memory}), flush=True)


class Publisher(threading.Thread):
    """A device that publishes, and how long the newest commit took, again and again."""

    def __init__(self, service: Service, access: dict[str, str]) -> None:
        super().__init__()
        login = (access["client_id"], access["username"], access["password"])
        self._line = wire.connect("127.0.0.1", service.mqtt_port, *login)
        self._topic = f"{access['topic_prefix']}/feeds/beside"
        self._metrics = httpx.Client(base_url=service.url)
        self._ended = threading.Event()
        self.times: list[tuple[float, float]] = []

    def run(self) -> None:
        while not self._ended.wait(EVERY_S):
            wire.publish_once(self._line, self._topic, b"1", 1, False)
            page = self._metrics.get("/metrics").text
            (took,) = re.findall(r"^roost_commit_seconds (\S+)", page, re.MULTILINE)
            self.times.append((time.monotonic(), float(took)))

    def end(self) -> None:
        self._ended.set()
        self.join()
        wire.leave(self._line)
        self._metrics.close()

    def told(self, what: str, since: float) -> None:
        ms = sorted(took * 1000 for at, took in self.times if at >= since)
        cuts = statistics.quantiles(ms, n=100)
        figures = {"median_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}
        print(json.dumps({"what": what, **figures, "max_ms": round(ms[-1], 1)}), flush=True)


def forget(service: Service, feed_id: str, publisher: Publisher) -> None:
    since = time.monotonic()
    time.sleep(CALM_S)
    publisher.told("commits, nothing beside", since)
    since = time.monotonic()
    params = {"end": datetime.now(UTC).isoformat()}
    answer = service.http.delete(f"/api/v1/feed-values/{feed_id}", params=params, timeout=WITHIN_S)
    answer.raise_for_status()
    took = time.monotonic() - since
    publisher.told("commits while the readings are deleted", since)
    deleted = answer.json()["deleted"]
    print(json.dumps({"what": "deletion", "rows": deleted, "s": round(took, 1)}), flush=True)


def main() -> None:
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 35
    with running() as service:
        service.sign_in()
        device = service.post("/devices", {"device_code": "d", "name": "d"})
        feed = service.post("/feeds", {"key": "t", "name": "t", "device_id": device["id"]})
        service.post("/feeds", {"key": "beside", "name": "b", "device_id": device["id"]})
        first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
        url = url_of(service.data_dir / "postgres")
        trio_asyncio.run(trio_asyncio.aio_as_trio(fill), url, 1, 1, first, days)
        export(service, feed["id"])
        publisher = Publisher(service, device["mqtt"])
        publisher.start()
        try:
            forget(service, feed["id"], publisher)
        finally:
            publisher.end()


if __name__ == "__main__":
    main()
