"""Subscribers while much comes due: to commands, and to other traffic."""

import json
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from bench.service import Service
from tests.support import wire

PROBE_EVERY_S = 0.02
WITHIN_S = 900.0
LOOK_EVERY_S = 0.5


class Listener:
    """All commands of a user as `mosquitto_sub` receives them, with the time of each, in a file.

    A listener in Python would take a seventh of a processor from the measured service.
    """

    def __init__(self, service: Service, topic: str, file: Path) -> None:
        self._file = file
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(service.mqtt_port), "-t", topic]
        command += ["-i", "bench-listener", "-u", "roost", "-P", service.mqtt_password]
        with file.open("wb") as out:
            self._process = subprocess.Popen([*command, "-F", "%U %p"], stdout=out)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    async def late(self, wanted: int, since: datetime) -> tuple[list[float], float]:
        """Seconds between due time and first arrival of this many commands, and when the last
        arrived.

        Nobody answers the commands, so they are sent again, earlier ones too: their ids and due
        times tell them apart. The file is read after the traffic, because reading it would delay
        the probe.
        """
        before = 0
        with trio.fail_after(WITHIN_S):
            while self._process.poll() is None:
                await trio.sleep(LOOK_EVERY_S)
                size = self._file.stat().st_size
                if size == before:
                    late, last_s = self.heard(since.timestamp())
                    if len(late) >= wanted:
                        return late, last_s
                before = size
        raise RuntimeError(f"mosquitto_sub ended: {self._process.returncode}")

    def heard(self, since_s: float) -> tuple[list[float], float]:
        late: dict[str, float] = {}
        last_s = 0.0
        for line in self._file.read_text().splitlines():
            came, _, payload = line.partition(" ")
            command = json.loads(payload)
            due_s = datetime.fromisoformat(command["payload"]["due_at"]).timestamp()
            if due_s >= since_s - 1 and command["id"] not in late:
                late[command["id"]], last_s = float(came) - due_s, float(came)
        return list(late.values()), last_s


class Probe:
    """A reading at regular times, from publish to the socket."""

    def __init__(self, service: Service, device: dict[str, Any]) -> None:
        self.times: list[tuple[float, float]] = []  # when, how long
        self._service = service
        self._access = device["mqtt"]
        self._since: dict[int, float] = {}

    async def run(self) -> None:
        access = self._access
        login = (access["client_id"], access["username"], access["password"])
        url = (
            self._service.url.replace("http", "ws", 1) + f"/ws/devices?token={self._service.token}"
        )
        with wire.connect("127.0.0.1", self._service.mqtt_port, *login) as line:
            async with open_websocket_url(url) as socket, trio.open_nursery() as nursery:
                # Not what comes due itself: that this process reads it would be measured, too.
                await socket.send_message('{"type":"subscribe","channels":["feeds"]}')
                nursery.start_soon(self._hear, socket)
                number = 0
                while True:
                    number += 1
                    self._since[number] = time.time()
                    wire.send(line, f"{access['topic_prefix']}/feeds/t", b'{"value":%d}' % number)
                    await trio.to_thread.run_sync(wire.answers, line, 1)
                    await trio.sleep(PROBE_EVERY_S)

    async def _hear(self, socket: WebSocketConnection) -> None:
        while True:
            frame = json.loads(await socket.get_message())
            if frame["type"] == "feed_value":
                since = self._since.pop(int(frame["value"]))
                self.times.append((since, time.time() - since))

    def between(self, first_s: float, last_s: float) -> list[float]:
        return [took for since, took in self.times if first_s <= since <= last_s]
