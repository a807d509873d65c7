"""A Roost for measurements: a fresh data directory, free ports, a signed-in user.

`running` is `roost up`; `on_mosquitto` is `roost serve` beside a Mosquitto with its own defaults.
"""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import trio

from roost.embedded.postgres import EmbeddedPostgres
from roost.settings import free_port
from tests.support.mosquitto import configure

PASSWORD = "measure-it-well"
LOOK_S = 0.5
IMPORT_MAX = 1_000


class Service:
    """A running Roost.

    Attributes:
        mqtt_password: of its own login `roost`, which may publish for every device.
    """

    def __init__(
        self, url: str, mqtt_port: int, data_dir: Path, pid: int, mqtt_password: str
    ) -> None:
        self.url = url
        self.mqtt_port = mqtt_port
        self.data_dir = data_dir
        self.pid = pid
        self.mqtt_password = mqtt_password
        self.http = httpx.Client(base_url=url, timeout=30)
        self.token = ""

    def sign_in(self, email: str = "bench@roost.local") -> dict[str, Any]:
        account = {"email": email, "password": PASSWORD}
        user: dict[str, Any] = self.post("/users", account)
        self.token = self.post("/login/access-token", account)["access_token"]
        self.http.headers["x-auth-token"] = self.token
        return user

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(f"/api/v1{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.http.get(f"/api/v1{path}")
        answer.raise_for_status()
        return answer.json()

    def import_devices(self, codes: Sequence[str]) -> list[dict[str, str]]:
        """New devices, and the rows of the file of their credentials."""
        rows: list[dict[str, str]] = []
        for first in range(0, len(codes), IMPORT_MAX):
            answer = self.http.post(
                "/api/v1/devices/import",
                content="device_code\n" + "\n".join(codes[first : first + IMPORT_MAX]),
                headers={"content-type": "text/csv"},
            )
            answer.raise_for_status()
            rows += csv.DictReader(answer.text.splitlines())
        return rows

    def metric(self, name: str) -> float:
        # Over a connection of its own: a kept one may just be closed as idle.
        for line in httpx.get(f"{self.url}/metrics", timeout=30).text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise KeyError(name)


def until(probe: Callable[[], bool], within_s: float = 300.0) -> None:
    """Look again and again: nobody tells when a service has stored everything.

    Raises:
        RuntimeError: it is not so within that time.
    """
    end_s = time.monotonic() + within_s
    while not probe():
        if time.monotonic() > end_s:
            raise RuntimeError("what was measured did not come to its end")
        time.sleep(LOOK_S)


@contextmanager
def running(*options: str) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as folder:
        data_dir = Path(folder) / "data"
        given = ["up", "--data-dir", str(data_dir), "--http", ":0", "--mqtt", ":0", *options]
        with _started(given, Path(folder), {}) as process:
            url, broker = _ready(process, Path(folder))
            password = json.loads((data_dir / "secrets.json").read_text())["mqtt"]
            port = int(broker.rpartition(":")[2])
            service = Service(url, port, data_dir, process.pid, password)
            yield service
            service.http.close()


class Servers:
    """A database and a Mosquitto without Roost."""

    def __init__(self, database_url: str, mqtt_port: int, folder: Path) -> None:
        self.database_url = database_url
        self.mqtt_port = mqtt_port
        self._folder = folder

    @contextmanager
    def roost(self, *options: str) -> Iterator[Service]:
        """A `roost serve` on them."""
        data_dir = self._folder / "data"
        environment = {
            "ROOST_DATABASE_URL": self.database_url,
            "ROOST_MQTT_URL": f"mqtt://roost:{PASSWORD}@127.0.0.1:{self.mqtt_port}",
            "ROOST_DATA_DIR": str(data_dir),
            "ROOST_HTTP": ":0",
        }
        with _started(["serve", *options], self._folder, environment) as process:
            (url, *_) = _ready(process, self._folder)
            service = Service(url, self.mqtt_port, data_dir, process.pid, PASSWORD)
            yield service
            service.http.close()


@contextmanager
def beside() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as name:
        folder = Path(name)
        database = EmbeddedPostgres(folder / "pg", folder / "pg.log", "of-the-bench")
        postgres = trio.run(database.start)
        port = free_port("127.0.0.1")
        mosquitto = _mosquitto(folder, port)
        try:
            yield Servers(database.url, port, folder)
        finally:
            for server, how in ((mosquitto, signal.SIGTERM), (postgres, signal.SIGINT)):
                server.send_signal(how)
                server.wait(20)


@contextmanager
def on_mosquitto(*options: str) -> Iterator[Service]:
    with beside() as servers, servers.roost(*options) as service:
        yield service


def _mosquitto(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """With the settings that README recommends, and no others."""
    config = configure(folder, port, PASSWORD)
    process = subprocess.Popen(["mosquitto", "-c", config], stderr=subprocess.DEVNULL)
    until_s = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.02)


@contextmanager
def _started(
    given: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    roost = str(Path(sys.executable).parent / "roost")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [roost, *given],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _ready(process: "subprocess.Popen[str]", folder: Path) -> list[str]:
    """What it prints after "ready": its address, and that of its broker."""
    assert process.stdout is not None
    line = process.stdout.readline().split()
    if line[:1] != ["ready"]:
        raise RuntimeError((folder / "log").read_text())
    return line[1:3]
