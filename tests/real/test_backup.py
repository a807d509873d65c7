"""A backup under load brings back, once, what was acknowledged before it began."""

import hashlib
import json
import subprocess
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import trio_asyncio

from roost.embedded.postgres import url_of
from tests.real.database import locked
from tests.real.harness import ROOST, Person, Roost, clean_environment, eventually, running
from tests.support import wire
from tests.unit.samples import png

KINDS = ("by-ts", "by-id", "bare")
WAITING = 300
# What the broker copy had in flight comes again after `ack_wait`.
LOOK_S = 0.5


class Stream(threading.Thread):
    """A device that publishes numbers in turns of three kinds until it is stopped, or cut off."""

    def __init__(self, roost: Roost, access: dict[str, Any], first: int) -> None:
        super().__init__()
        login = [access[name] for name in ("client_id", "username", "password")]
        self.acknowledged = self._first = first
        self._line = wire.connect("127.0.0.1", roost.mqtt_port, *login)
        self._prefix = access["topic_prefix"]
        self._since_ms = time.time_ns() // 1_000_000 - 100_000
        self._ends = threading.Event()

    def run(self) -> None:
        while not self._ends.is_set():
            try:
                self.publish(30)
            except OSError:
                return

    def publish(self, many: int) -> None:
        numbers = range(self.acknowledged, self.acknowledged + many)
        wire.publish_all(self._line, [self._message(n) for n in numbers])
        self.acknowledged += many

    def stop(self) -> None:
        self._ends.set()
        self.join()
        self._line.close()

    def _message(self, n: int) -> tuple[str, bytes]:
        kind = KINDS[n % 3]
        body: dict[str, Any] = {"value": n}
        if kind == "by-ts":
            body["ts"] = self._since_ms + n
        elif kind == "by-id":
            body["id"] = f"m{n}"
        return f"{self._prefix}/feeds/{kind}", json.dumps(body).encode()


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    given = [str(ROOST), *map(str, arguments)]
    return subprocess.run(
        given, capture_output=True, text=True, env=clean_environment(), check=False
    )


def test_what_was_acknowledged_before_a_backup_is_there_once_after_the_loss_of_everything(
    begun: Path,
) -> None:
    file = begun / "backup.tar"
    with running(begun) as roost:
        ada = roost.user()
        device = ada.device("stream", *KINDS)
        content = png(8, 8)
        ada.call("POST", "/media", files={"file": ("a.png", content)})
        login = command("user", "sql", ada.email, "--data-dir", roost.data_dir).stdout
        loaded = Stream(roost, device["mqtt"], 0)
        with locked(roost, "commits") as release:
            # Acknowledged by the broker, and not stored: while the dump waits for this lock, too.
            loaded.publish(WAITING)
            maker = subprocess.Popen(
                [str(ROOST), "backup", str(file), "--data-dir", str(roost.data_dir)],
                env=clean_environment(),
            )
            eventually(partial(dump_waits, roost))
            before = loaded.acknowledged
            loaded.start()
            release()
            assert maker.wait(60) == 0
        eventually(lambda: loaded.acknowledged, lambda many: many > before + 300)
        roost.kill()
        loaded.stop()
        roost.data_dir.rename(begun / "lost")  # its servers may still be ending
        restored = command("restore", file, "--data-dir", roost.data_dir)
        assert restored.returncode == 0, restored.stderr
        roost.start()
        for kind in KINDS:
            wanted = {n for n in range(before) if KINDS[n % 3] == kind}
            eventually(partial(lost, ada, device["feeds"][kind], wanted), is_empty, every_s=LOOK_S)
        eventually(partial(waiting, roost), lambda many: not many)
        assert_once(ada, device)
        (stored,) = ada.get("/media")["items"]
        got = ada.call("GET", f"/media/{stored['id']}/content").content
        assert hashlib.sha256(got).digest() == hashlib.sha256(content).digest()
        assert reads(roost, login) == 1


def lost(person: Person, feed_id: str, wanted: set[int]) -> set[int]:
    return wanted - set(person.values(feed_id))


def is_empty(found: set[int]) -> bool:
    return not found


def waiting(roost: Roost) -> float:
    """How many messages the broker holds for Roost."""
    page = httpx.get(roost.url + "/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in page if "roost_broker_waiting{" in line)


def assert_once(ada: Person, device: dict[str, Any]) -> None:
    for kind in KINDS:
        values = ada.values(device["feeds"][kind])
        assert len(values) == len(set(values))


def dump_waits(roost: Roost) -> bool:
    url = url_of(roost.data_dir / "postgres")

    async def main() -> bool:
        connection = await asyncpg.connect(url)
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'roost backup'"
        found = await connection.fetchval(asked + " AND wait_event_type = 'Lock'")
        await connection.close()
        return bool(found)

    return bool(trio_asyncio.run(trio_asyncio.aio_as_trio(main)))


def reads(roost: Roost, login: str) -> int:
    """How many devices an SQL login sees."""
    said = dict(line.split(" ", 1) for line in login.splitlines())

    async def main() -> int:
        connection = await asyncpg.connect(
            host=said["server"],
            user=said["username"],
            password=said["password"],
            database=said["database"],
        )
        many: int = await connection.fetchval("SELECT count(*) FROM devices")
        await connection.close()
        return many

    return int(trio_asyncio.run(trio_asyncio.aio_as_trio(main)))
