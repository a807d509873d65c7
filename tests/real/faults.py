"""Faults under load, and what became of every message; used by `test_faults.py`.

    with open_scene(folder, "serve") as scene:
        report = endure(scene, fault, rate=200, before_s=2, after_s=2)

Devices publish at QoS 1 all the while. When a connection ends, unacknowledged messages are sent
again, as real clients do.
"""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import asyncpg
import httpx
import msgspec
import trio

from roost.embedded.postgres import EmbeddedPostgres, url_of
from tests.contract.servers import Mosquitto
from tests.real.harness import Person, Roost
from tests.real.test_serve import External
from tests.support import wire

DEVICES = 5
TOP = 1_000_000.0  # a value above it is kept and raises an alarm
HEALED_WITHIN_S = 40.0
POLL_S = 0.1


class Report(msgspec.Struct, kw_only=True):
    """What became of a stream of messages.

    `doubled` counts messages with an `id` that are stored more than once, and messages without one
    that are stored more often than they were sent.
    """

    fault: str
    published: int
    acknowledged: int
    stored: int
    lost: int
    doubled: int
    alarms_expected: int
    alarms_raised: int
    unsettled: int
    healed_s: float
    settled_s: float

    def row(self) -> str:
        """A row for the table in docs/reliability.md."""
        cells = [self.published, self.acknowledged, self.stored, self.lost, self.doubled]
        alarms = f"{self.alarms_raised} of {self.alarms_expected}"
        times = f"{self.healed_s:.1f} s | {self.settled_s:.1f} s"
        return f"| {self.fault} | {' | '.join(map(str, cells))} | {alarms} | {times} |"


class Source(threading.Thread):
    """A device that publishes `rate` messages a second until `ends` is set.

    Every second message has an `id`. On request, values go above or below a feed's threshold.
    """

    def __init__(self, port: int, access: dict[str, Any], rate: float, first: int) -> None:
        super().__init__(daemon=True)
        self.sent: Counter[int] = Counter()
        self.acknowledged: set[int] = set()
        self.raised = 0  # alarms that its acknowledged messages imply
        self.ends = threading.Event()
        self._port = port
        self._access = access
        self._pause_s = 1 / rate
        self._numbers = itertools.count(first)
        self._waiting: list[int] = []
        self._hot: Queue[bytes] = Queue()

    def run(self) -> None:
        while self._waiting or not self.ends.is_set():
            try:
                self._publish()
            except OSError:
                time.sleep(0.2)

    def calm(self) -> None:
        """Publish a value below the threshold, which clears an open alarm."""
        self._say_hot(0.0)

    def alarm(self) -> None:
        """Publish a value above the threshold, and wait until the broker has it."""
        self._say_hot(TOP + 1 + self.raised)
        self.raised += 1

    def _say_hot(self, value: float) -> None:
        # With `ts`, because a redelivered value without it goes to the history only and raises no
        # alarm (CONTRACT §1).
        ts = time.time_ns() // 1_000_000
        self._hot.put(json.dumps({"value": value, "ts": ts}).encode())
        self._hot.join()

    def _publish(self) -> None:
        login = [self._access[name] for name in ("client_id", "username", "password")]
        with wire.connect("127.0.0.1", self._port, *login) as line:
            feeds = f"{self._access['topic_prefix']}/feeds"
            while self._waiting or not self.ends.is_set():
                began_s = time.monotonic()
                while len(self._waiting) < 10 and not self.ends.is_set():
                    self._waiting.append(next(self._numbers))
                if self._hot.queue:
                    wire.publish_all(line, [(f"{feeds}/hot", self._hot.queue[0])])
                    self._hot.get()
                    self._hot.task_done()
                window = list(self._waiting)
                self.sent.update(window)
                wire.publish_all(line, [(f"{feeds}/t", _body(n)) for n in window])
                self.acknowledged.update(window)
                self._waiting.clear()
                rest_s = began_s + len(window) * self._pause_s - time.monotonic()
                time.sleep(max(0.0, rest_s))


def _body(n: int) -> bytes:
    return json.dumps({"value": n, **({"id": f"m{n}"} if n % 2 else {})}).encode()


class Scene:
    """One or two services with their servers, a user, and devices with feeds."""

    def __init__(self, services: list[Roost], database_url: str, port: int) -> None:
        self.services = services
        self.database_url = database_url
        self.port = port
        self.next_number = 1
        self.user: Person
        self.devices: list[dict[str, Any]] = []
        self.stop_database: Callable[[int], None]
        self.start_database: Callable[[], None]
        self.restart_broker: Callable[[int], None]

    def furnish(self) -> None:
        self.user = self.leader.user()
        for n in range(DEVICES):
            device = self.user.device(f"d{n}", "t")
            body = {"key": "hot", "name": "hot", "device_id": device["id"]}
            limits = {"max_value": TOP, "on_violation": "flag"}
            device["feeds"]["hot"] = self.user.post("/feeds", {**body, **limits})["id"]
            if isinstance(self.leader, External):
                prefix = f"users/{self.user.id}/devices/d{n}"
                login = {"username": "roost", "password": "pw", "client_id": f"device-{n}"}
                device["mqtt"] = {**login, "topic_prefix": prefix}
            self.devices.append(device)

    @property
    def leader(self) -> Roost:
        return self.services[0]

    def values(self) -> Counter[int]:
        """How often each number is stored, out of all feeds `t`."""
        rows = self.query(
            "SELECT v.number, count(*) FROM feed_values v JOIN feeds f ON f.num = v.feed_num"
            " WHERE f.key = 't' GROUP BY 1"
        )
        return Counter({int(row[0]): row[1] for row in rows})

    def alarms(self) -> int:
        """How many alarms the feeds `hot` have raised."""
        (row,) = self.query(
            "SELECT count(*) FROM alarms a JOIN feeds f ON f.num = a.feed_num"
            " WHERE f.key = 'hot' AND a.raised_at IS NOT NULL"
        )
        return int(row[0])

    def query(self, sql: str) -> list[Any]:
        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return list(await connection.fetch(sql))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def metric(self, name: str) -> float:
        """A metric of the leading process; infinity while no process answers."""
        for service in self.services:
            try:
                page = self.user.http.get(service.url + "/metrics", timeout=2).text
            except httpx.HTTPError:
                continue
            found = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[:1] != "#")
            if float(found.get("roost_leads", 0)):
                return float(found[name])
        return float("inf")


def endure(
    scene: Scene,
    name: str,
    fault: Callable[[Scene], None],
    *,
    rate: float,
    before_s: float,
    after_s: float,
) -> Report:
    """Publish, cause the fault, publish on, and count when everything is settled.

    `healed_s` is the time from the fault's end until everything acknowledged by then is stored,
    `settled_s` until no acknowledgement has been outstanding for more than two seconds.
    """
    count = DEVICES
    sources = [
        Source(scene.port, device["mqtt"], rate / count, scene.next_number + n * 1_000_000)
        for n, device in enumerate(scene.devices)
    ]
    scene.next_number += 100_000
    for source in sources:
        source.start()
        source.calm()
    alarms_before = scene.alarms()
    time.sleep(before_s)
    alarms = threading.Thread(target=_alarm_all, args=(scene, sources))
    alarms.start()
    fault(scene)
    ended_s = time.monotonic()
    owed = set().union(*(set(source.acknowledged) for source in sources))
    alarms.join()
    healed_s = _until(lambda: owed <= set(scene.values())) - ended_s
    settled_s = _until(lambda: scene.metric("roost_mqtt_unsettled_seconds") < 2.0) - ended_s
    time.sleep(after_s)
    for source in sources:
        source.ends.set()
    for source in sources:
        source.join(60)
        assert not source.is_alive()
    acknowledged = set().union(*(source.acknowledged for source in sources))
    _until(lambda: acknowledged <= set(scene.values()))
    # Canaries count, too, every few seconds: in between the figure must reach 0.
    is_settled = _until(lambda: scene.metric("roost_mqtt_unsettled") <= 0.0) < float("inf")
    stored = scene.values()
    sent: Counter[int] = sum((source.sent for source in sources), Counter())
    mine = {n: times for n, times in stored.items() if n in sent}
    return Report(
        fault=name,
        published=sent.total(),
        acknowledged=len(acknowledged),
        stored=sum(mine.values()),
        lost=len(acknowledged - set(mine)),
        doubled=sum(times > (1 if n % 2 else sent[n]) for n, times in mine.items()),
        alarms_expected=sum(source.raised for source in sources),
        alarms_raised=scene.alarms() - alarms_before,
        unsettled=0 if is_settled else int(scene.metric("roost_mqtt_unsettled")),
        healed_s=healed_s,
        settled_s=settled_s,
    )


def _alarm_all(scene: Scene, sources: list[Source]) -> None:
    """Every device crosses its threshold while the fault lasts."""
    time.sleep(0.5)
    for source in sources:
        source.alarm()


def _until(holds: Callable[[], bool]) -> float:
    """The time (monotonic) when it holds; infinity if it never does."""
    deadline = time.monotonic() + HEALED_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if holds():
                return time.monotonic()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # the database is not back yet
        time.sleep(POLL_S)
    return float("inf")


@contextmanager
def open_scene(folder: Path, *, processes: int = 1) -> Iterator[Scene]:
    """One or two `roost serve`, on a PostgreSQL and a Mosquitto that a test can stop and start."""
    database = EmbeddedPostgres(folder / "data" / "postgres", folder / "pg.log", "of-the-tests")
    (folder / "broker").mkdir()
    broker = Mosquitto(folder / "broker", autosave_s=5)
    children = {"pg": trio.run(database.start), "broker": trio.run(broker.start)}
    services: list[Roost] = [
        External(folder, database.url, broker.address.port) for _ in range(processes)
    ]
    scene = Scene(services, database.url, broker.address.port)

    def stop(how: int) -> None:
        # The wrapper that drops root uses exec, so the child is the postmaster itself.
        os.kill(children["pg"].pid, how)
        children["pg"].wait(20)

    def start() -> None:
        children["pg"] = trio.run(database.start)

    def restart_broker(how: int) -> None:
        children["broker"].send_signal(how)
        children["broker"].wait(10)
        children["broker"] = trio.run(broker.start)

    scene.stop_database, scene.start_database = stop, start
    scene.restart_broker = restart_broker
    try:
        for service in services:
            service.start()
        scene.furnish()
        yield scene
    finally:
        for service in services:
            service.closing.close()
            if service.process is not None and service.process.poll() is None:
                service.process.send_signal(signal.SIGCONT)
                assert service.stop() == 0
        for child in children.values():
            _end(child)


@contextmanager
def open_embedded(folder: Path) -> Iterator[Scene]:
    """`roost up` with its own PostgreSQL and NATS, which it restarts when they end."""
    roost = Roost(folder)
    roost.start()
    scene = Scene([roost], url_of(roost.data_dir / "postgres"), roost.mqtt_port)

    def end(server: str, how: int) -> None:
        os.kill(roost.pid_of(server), how)

    scene.stop_database = lambda how: end("postgres", how)
    scene.start_database = lambda: None
    scene.restart_broker = lambda how: end("nats-server", how)
    try:
        scene.furnish()
        yield scene
    finally:
        roost.closing.close()
        if roost.process is not None and roost.process.poll() is None:
            roost.process.send_signal(signal.SIGCONT)
            assert roost.stop() == 0


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        child.wait(10)
