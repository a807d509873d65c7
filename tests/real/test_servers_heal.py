"""Embedded servers that run but do not serve, while a device goes on publishing.

In each test everything acknowledged is stored, and Roost recovers without help. The watchdog waits
for 3 s here instead of 30 (`--server-patience-s`).
"""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from actors.wiring.draining import DRAIN_MAX_S
from roost.embedded.postgres import url_of
from tests.real.harness import Person, Roost, eventually, running
from tests.real.test_lifecycle import children_of, roost_command

PATIENCE = ("--server-patience-s", "3")
DISK_BYTES = 300 << 20
PERIOD_S = 0.02


class Publisher:
    """A device that publishes numbers at QoS 1, reconnects by itself, and records which were
    acknowledged."""

    def __init__(self, roost: Roost, person: Person, code: str) -> None:
        made = person.device(code, "t")
        access = made["mqtt"]
        self.acknowledged: set[int] = set()
        self._person = person
        self._feed: str = made["feeds"]["t"]
        self._topic = f"{access['topic_prefix']}/feeds/t"
        self._numbers: dict[int, int] = {}  # by packet id
        self._sent = 0
        self._stop = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=access["client_id"],
            clean_session=False,
            protocol=mqtt.MQTTv311,
        )
        self._client.username_pw_set(access["username"], access["password"])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", roost.mqtt_port, 5)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        roost.closing.callback(self.stop)

    def _on_publish(self, client: Any, data: Any, mid: int, *about: Any) -> None:
        self.acknowledged.add(self._numbers[mid])

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            number, self._sent = self._sent, self._sent + 1
            # With an id, so that a message that the client sends again is stored once.
            payload = json.dumps({"value": number, "id": str(number)})
            # Recorded before the PUBACK can arrive: paho counts its packet ids from 1.
            self._numbers[number + 1] = number
            assert self._client.publish(self._topic, payload, 1).mid == number + 1

    def goes_on(self) -> None:
        """Wait until messages published from now on are acknowledged."""
        now = self._sent
        eventually(lambda: max(self.acknowledged, default=-1) >= now)

    def stands_still(self) -> bool:
        """Whether published messages are no longer acknowledged."""
        before = len(self.acknowledged)
        time.sleep(1)
        return len(self.acknowledged) == before

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()

    def end(self) -> None:
        """Stop; check that everything published is acknowledged and stored once."""
        self._stop.set()
        self._thread.join()
        eventually(lambda: len(self.acknowledged), lambda count: count == self._sent)
        self.stop()
        everything = list(range(self._sent))
        eventually(lambda: len(self._stored()), lambda count: count >= self._sent)
        assert self._stored() == everything

    def _stored(self) -> list[int]:
        return sorted(int(value) for value in self._person.values(self._feed))


def readiness(roost: Roost, person: Person) -> tuple[str, dict[str, str]]:
    answer = person.http.get(roost.url + "/readyz").json()
    return answer["status"], answer["checks"]


def served(roost: Roost, person: Person, publisher: Publisher) -> None:
    """Wait until the service is ready."""
    eventually(lambda: readiness(roost, person), lambda found: found[0] == "ready")
    publisher.goes_on()


def restarts(roost: Roost) -> list[tuple[str, str]]:
    """The names of restarted servers, and why, from the log."""
    lines = [json.loads(line) for line in roost.log.splitlines() if line.startswith("{")]
    return [
        (line["server"], line["why"]) for line in lines if line["event"] == "server is restarted"
    ]


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """SIGSTOP for these processes while the block runs, or until they are killed. PostgreSQL's
    workers come and go: one may have ended since it was listed."""
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def with_children(pid: int) -> list[int]:
    return [pid, *children_of(pid)]


@pytest.fixture(scope="module")
def roost(begun_for_all: Path) -> Iterator[Roost]:
    with running(begun_for_all, *PATIENCE) as service:
        yield service


def test_a_machine_that_slept_restarts_no_server(roost: Roost, ada: Person) -> None:
    assert roost.process is not None
    publisher = Publisher(roost, ada, "asleep")
    publisher.goes_on()
    servers = [roost.pid_of("nats-server"), roost.pid_of("postgres")]
    # Roost continues last, so that it finds the servers running or gone.
    everything = [*servers, *children_of(servers[1]), roost.process.pid]
    roost.was_stopped = True
    with stopped(everything):
        time.sleep(7)
    served(roost, ada, publisher)
    publisher.end()
    assert restarts(roost) == []
    assert [roost.pid_of("nats-server"), roost.pid_of("postgres")] == servers


def test_a_broker_that_hangs_is_restarted_and_nothing_acknowledged_is_lost(
    roost: Roost, ada: Person
) -> None:
    publisher = Publisher(roost, ada, "hung-broker")
    publisher.goes_on()
    before = roost.pid_of("nats-server")
    with stopped([before]):
        eventually(lambda: not Path(f"/proc/{before}").exists())
        served(roost, ada, publisher)
    publisher.end()
    (server, why) = restarts(roost)[-1]
    assert server == "nats-server"
    assert why.startswith("it has not answered for ")


def test_a_database_that_hangs_is_restarted_and_nothing_acknowledged_is_lost(
    roost: Roost, ada: Person
) -> None:
    publisher = Publisher(roost, ada, "hung-database")
    publisher.goes_on()
    before = with_children(roost.pid_of("postgres"))
    with stopped(before):
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))
        served(roost, ada, publisher)
    publisher.end()
    (server, why) = restarts(roost)[-1]
    assert server == "postgres"
    assert why.startswith("it has not answered for ")


def test_the_end_waits_for_a_database_that_hangs_a_few_seconds_and_leaves_nothing_of_it(
    begun: Path,
) -> None:
    """It once took 12 s and was cut off after nine: each pool waited, then the server."""
    with running(begun) as roost:
        ada = roost.user("ada")
        publisher = Publisher(roost, ada, "hung-at-the-end")
        publisher.goes_on()
        publisher.end()
        servers = with_children(roost.pid_of("postgres"))
        roost.was_stopped = True
        with stopped(servers):
            since = time.monotonic()
            assert roost.stop() == 0
            took_s = time.monotonic() - since
            assert not [pid for pid in servers if runs(pid)]
        assert "the end took too long" not in roost.log
        assert took_s < DRAIN_MAX_S + 3.5
        roost.start()
        assert readiness(roost, ada)


def runs(pid: int) -> bool:
    """Whether the process runs, and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount a small disk there; the test is skipped where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "disk", f"size={DISK_BYTES}") as folder:
        yield folder


def fill(file: Path) -> None:
    """Fill the disk."""
    with suppress(OSError), file.open("ab", 0) as out:
        while True:
            out.write(bytes(4096))


def use_up_log(roost: Roost) -> None:
    """Write to PostgreSQL's write-ahead log until it has no room, and PostgreSQL ends."""

    async def write() -> None:
        connection = await asyncpg.connect(url_of(roost.data_dir.resolve() / "postgres"))
        for _ in range(100):
            await connection.execute("SELECT pg_switch_wal()")
            await connection.execute("SELECT pg_logical_emit_message(false, 'test', 'x')")

    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        asyncio.run(write())


def test_a_full_disk_is_said_and_all_heals_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(small_disk)  # the service's log is on another disk
    with running(tmp_path, *PATIENCE) as roost:
        ada = roost.user()
        publisher = Publisher(roost, ada, "full-disk")
        publisher.goes_on()
        fill(small_disk / "fill")
        use_up_log(roost)

        def is_full() -> bool:
            fill(small_disk / "fill")  # also space that the servers freed
            return publisher.stands_still()

        eventually(is_full)
        status, checks = readiness(roost, ada)
        assert status != "ready"
        assert checks["database"].startswith("has not answered for ")
        assert checks["disk"].startswith("full: 0 MB free in ")
        assert restarts(roost) == []  # a restart would not help
        (small_disk / "fill").unlink()
        served(roost, ada, publisher)
        publisher.end()
        ((server, why),) = restarts(roost)
        assert server == "nats-server"
        assert "no space left on device" in why
        assert '"event": "the disk is full"' in roost.log
        assert '"event": "the disk has room again"' in roost.log
        assert roost.stop() == 0
        fill(small_disk / "fill")
        starts_in_vain(roost.data_dir)


def starts_in_vain(data: Path) -> None:
    """A start prints one line and exits with status 2."""
    done = roost_command("up", "--data-dir", str(data), "--http", ":0", "--mqtt", ":0")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("roost: "), done.stderr
    assert done.stderr.count("\n") == 1
    assert "disk is full" in done.stderr or "No space left on device" in done.stderr


def test_a_first_start_on_a_full_disk_is_one_clear_line(small_disk: Path, tmp_path: Path) -> None:
    fill(small_disk / "fill")
    starts_in_vain(small_disk / "data")
    with disk(tmp_path / "no-files", "nr_inodes=1") as folder:
        starts_in_vain(folder / "data")  # not even its directory can be created
