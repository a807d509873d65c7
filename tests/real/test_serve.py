"""`roost serve` on external servers: PostgreSQL by URL, Mosquitto with MQTT 5."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from roost.embedded.postgres import EmbeddedPostgres
from tests.contract.servers import mosquitto
from tests.real.harness import (
    ROOST,
    Dashboard,
    Person,
    Roost,
    check_nobody_held_the_loop,
    clean_environment,
    dashboard,
    eventually,
)
from tests.support import wire

MESSAGES = 500


class External(Roost):
    """`roost serve`; the test starts its servers."""

    def __init__(self, folder: Path, database_url: str, mqtt_port: int) -> None:
        super().__init__(folder)
        self.is_standby = False
        self.database_url = database_url
        self.mqtt_port = mqtt_port

    def start(self) -> None:
        environment = {
            **clean_environment(),
            "ROOST_DATABASE_URL": self.database_url,
            "ROOST_MQTT_URL": f"mqtt://roost:pw@127.0.0.1:{self.mqtt_port}",
            "ROOST_DATA_DIR": str(self.data_dir),
            "ROOST_HTTP": ":" + (self.url.rpartition(":")[2] or "0"),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(ROOST), "serve"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        assert line and line[0] in ("ready", "standby"), (line, self.log[-4000:])
        self.is_standby = line[0] == "standby"
        self.url = line[1]


@contextmanager
def servers(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The URL of a PostgreSQL and the port of a Mosquitto."""
    database = EmbeddedPostgres(tmp_path / "pg", tmp_path / "pg.log", "of-the-tests")
    process = trio.run(database.start)
    try:
        (tmp_path / "broker").mkdir()
        with mosquitto(tmp_path / "broker") as address:
            yield database.url, address.port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


@contextmanager
def serving(*services: External) -> Iterator[None]:
    try:
        for each in services:
            each.start()
        yield
    finally:
        for each in services:
            each.closing.close()
            if each.process is not None and each.process.poll() is None:
                assert each.stop() == 0
    for each in services:
        check_nobody_held_the_loop(each)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[External]:
    with servers(tmp_path) as places:
        roost = External(tmp_path, *places)
        with serving(roost):
            yield roost


def publish(roost: External, person: Person, first: int, count: int) -> None:
    prefix = f"users/{person.id}/devices/d"
    with wire.connect("127.0.0.1", roost.mqtt_port, "device-d", "roost", "pw") as line:
        messages = [
            (f"{prefix}/feeds/t", json.dumps({"value": n, "id": f"m{n}"}).encode())
            for n in range(first, first + count)
        ]
        wire.publish_all(line, messages, window=50)


async def test_readings_come_through_mosquitto_and_a_kill_loses_none(service: External) -> None:
    ada = service.user()
    device = ada.device("d", "t")
    async with dashboard(service, ada) as screen:
        assert isinstance(screen, Dashboard)
        await screen.next()
        await trio.to_thread.run_sync(publish, service, ada, 0, MESSAGES)
        frame = await screen.until("feed_value")
        assert frame["feed_id"] == device["feeds"]["t"]
    service.kill()
    publish(service, ada, MESSAGES, MESSAGES)  # while the service is down
    service.start()
    wanted = set(range(2 * MESSAGES))
    found = eventually(
        lambda: ada.values(device["feeds"]["t"]), lambda values: set(values) == wanted
    )
    assert len(found) == len(wanted)
    assert ada.http.get(service.url + "/readyz").status_code == 200


def test_a_virtual_fleet_comes_through_mosquitto(service: External, tmp_path: Path) -> None:
    """All devices share one login, and the server does not know the broker's public address."""
    fleet = [str(ROOST), "simulate", "--url", service.url, "--data-dir", str(tmp_path / "fleet")]
    fleet += ["--devices", "10", "--rate", "100", "--seconds", "2"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*fleet, *more],
            capture_output=True,
            text=True,
            timeout=60,
            env=clean_environment(),
            check=False,
        )

    lost = run()
    assert lost.returncode == 2
    assert "--mqtt-public-url" in lost.stderr
    done = run("--mqtt-public-url", f"mqtt://roost:pw@127.0.0.1:{service.mqtt_port}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all that was acknowledged, each once" in done.stdout
    assert "pw@" not in done.stdout + (tmp_path / "fleet" / "fleet.json").read_text()
