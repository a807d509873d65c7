"""`roost up` as a process, and its clients: an HTTP client, MQTT devices, dashboards."""

import csv
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import trio
from paho.mqtt.enums import CallbackAPIVersion
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from actors.runtime.loop_lag import CPU_MAX_S, WALL_MAX_S

ROOST = Path(sys.executable).parent / "roost"
PASSWORD = "correct-horse"
WAIT_S = 20.0


def eventually(
    probe: Callable[[], Any],
    wanted: Callable[[Any], bool] = bool,
    within_s: float = WAIT_S,
    every_s: float = 0.02,
) -> Any:
    """Call `probe` until its result is as wanted, for what other processes do asynchronously."""
    deadline = time.monotonic() + within_s
    while True:
        found = probe()
        if wanted(found):
            return found
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(every_s)


class Roost:
    """A running service; it can be killed and started again on the same data and ports.

    Attributes:
        ca: what its HTTP clients trust; None: what the machine trusts.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.options = options
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.mqtt_port = 0
        self.started_s = 0.0
        self.was_stopped = False  # by SIGSTOP, which makes its steps look long
        self.looked_at = 0  # how much of its log was checked for steps that held the loop
        self.closing = ExitStack()  # connections of its clients
        self.ca: Path | None = None

    def start(self) -> None:
        http = self.url.rpartition(":")[2] or "0"
        command = [str(ROOST), "up", "--data-dir", str(self.data_dir), "--http", f":{http}"]
        mqtt = "--mqtts" if "--tls-cert" in self.options else "--mqtt"
        command += [mqtt, f":{self.mqtt_port}", "--log-format", "json", *self.options]
        since = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=clean_environment()
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        assert line[:1] == ["ready"], (line, self.log[-4000:])
        self.started_s = time.monotonic() - since
        self.url, self.mqtt_port = line[1], int(line[2].rpartition(":")[2])

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        """Wait for the end of the process; its exit status."""
        assert self.process is not None
        status = self.process.wait(15)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def trust(self) -> ssl.SSLContext | None:
        """For one client: httpx sets in it which protocols it speaks."""
        return None if self.ca is None else ssl.create_default_context(cafile=self.ca)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def pid_of(self, server: str) -> int:
        """The process id of an embedded server."""
        assert self.process is not None
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = stat.read_text().partition(") ")
            except OSError:
                continue
            if rest.split()[1] == str(self.process.pid) and server in name:
                return int(name.split()[0])
        raise LookupError(server)

    def user(self, name: str = "ada") -> "Person":
        return Person(self, f"{name}@example.org")


def metric(roost: Roost, name: str) -> float:
    """The value of a metric without labels."""
    page = httpx.get(roost.url + "/metrics").text
    (line,) = (line for line in page.splitlines() if line.startswith(name + " "))
    return float(line.split()[1])


# On two cores with other tests, a step took up to 1.6 times its usual CPU time (shared caches, a
# busy host), or was not scheduled for half a second. Such a step is noise, unless it occurs three
# times at one place or exceeds the limit twofold.
NOISE, OFTEN = 2.0, 3


def check_nobody_held_the_loop(roost: Roost) -> None:
    """No step of the service took more than 50 ms of CPU time, or half a second in all."""
    said = roost.log[roost.looked_at :]
    lines = [line for line in said.splitlines() if '"a step held the event loop"' in line]
    held = [json.loads(line) for line in lines]
    places = Counter(step["then_at"] for step in held)
    certain = [
        step
        for step in held
        if step["cpu_s"] > NOISE * CPU_MAX_S
        or (step["wall_s"] > WALL_MAX_S * NOISE and not roost.was_stopped)
    ]
    assert not certain, certain
    assert all(times < OFTEN for times in places.values()), held


def clean_environment() -> dict[str, str]:
    ours = {k: v for k, v in os.environ.items() if not k.startswith("ROOST_")}
    # All clients of the tests share one address, and would exceed its rate.
    return {**ours, "ROOST_REQUESTS_PER_S_OF_ADDRESS": "100000"}


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Roost]:
    roost = Roost(folder, *options)
    roost.start()
    try:
        yield roost
    finally:
        roost.closing.close()
        if roost.process is not None and roost.process.poll() is None:
            assert roost.stop() == 0
    check_nobody_held_the_loop(roost)


class Person:
    """A user with a token, and calls of the REST API as that user."""

    def __init__(self, roost: Roost, email: str) -> None:
        self.roost = roost
        self.email = email
        account = {"email": email, "password": PASSWORD}
        trust = roost.trust() or True
        self.http = roost.closing.enter_context(httpx.Client(timeout=WAIT_S, verify=trust))
        answer = self.http.post(roost.url + "/api/v1/users", json=account)
        assert answer.status_code in (201, 409), answer.text
        self.token = ""
        self.token = self.post("/login/access-token", account)["access_token"]
        self.id: str = self.get("/users/me")["id"]

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        token = {"x-auth-token": self.token} if self.token else {}
        url = self.roost.url + "/api/v1" + path
        return self.http.request(method, url, headers={**token, **(headers or {})}, **options)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.call("POST", path, json=body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def device(self, code: str, *keys: str, **feed: Any) -> dict[str, Any]:
        """A device with number feeds; `mqtt` in the result is its login."""
        made: dict[str, Any] = self.post("/devices", {"device_code": code, "name": code})
        made["feeds"] = {}
        for key in keys:
            body = {"key": key, "name": key, "device_id": made["id"], **feed}
            made["feeds"][key] = self.post("/feeds", body)["id"]
        return made

    def import_devices(self, rows: Sequence[str]) -> list[dict[str, str]]:
        """Import devices from rows of CSV (`device_code,name`); returns the response's rows."""
        content = "\n".join(["device_code,name", *rows]).encode()
        headers = {"content-type": "text/csv"}
        answer = self.call("POST", "/devices/import", content=content, headers=headers)
        assert answer.status_code == 201, answer.text
        return list(csv.DictReader(io.StringIO(answer.text)))

    def values(self, feed_id: str) -> list[Any]:
        """All values of a feed, newest first."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = {"limit": 1000, **({"cursor": cursor} if cursor else {})}
            answer = self.get(f"/feed-values/{feed_id}", **page)
            found += [item["value"] for item in answer["items"]]
            cursor = answer["next"]
            if cursor is None:
                return found

    def rejected(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get("/rejected-messages", limit=1000)["items"]
        return items


class DeviceClient:
    """A real MQTT client (paho) with the credentials of a device."""

    def __init__(
        self,
        roost: Roost,
        access: dict[str, Any],
        *,
        will: dict[str, Any] | None = None,
        override: dict[str, str] | None = None,
        clean: bool = True,
    ) -> None:
        login = {**access, **(override or {})}
        self.prefix = access["topic_prefix"]
        self.heard: Queue[tuple[str, bytes]] = Queue()
        self.codes: Queue[str] = Queue()
        self.lost = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=login["client_id"],
            clean_session=clean,
            protocol=mqtt.MQTTv311,
            # A test reconnects by itself; and a client that waits to reconnect ends a second late.
            reconnect_on_failure=False,
        )
        self.client.username_pw_set(login["username"], login["password"])
        self.client.on_connect = lambda c, u, f, code, p: self.codes.put(str(code))
        self.client.on_disconnect = lambda c, u, f, code, p: self.lost.set()
        self.client.on_message = lambda c, u, m: self.heard.put((m.topic, bytes(m.payload)))
        if will is not None:
            self.client.will_set(f"{self.prefix}/status", json.dumps(will), 1)
        self.client.connect("127.0.0.1", roost.mqtt_port, 30)
        self.client.loop_start()
        roost.closing.callback(self.close)
        self.code = self.codes.get(timeout=WAIT_S)

    def publish(self, tail: str, payload: Any, qos: int = 1, retain: bool = False) -> None:
        """Publish under the device's own topics; returns when the broker acknowledged."""
        data = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        self.client.publish(f"{self.prefix}/{tail}", data, qos, retain).wait_for_publish(WAIT_S)

    def subscribe(self, tail: str) -> None:
        self.client.subscribe(f"{self.prefix}/{tail}", 1)

    def next(self, timeout_s: float = WAIT_S) -> tuple[str, bytes] | None:
        try:
            return self.heard.get(timeout=timeout_s)
        except Empty:
            return None

    def vanish(self) -> None:
        """Cut the connection without a DISCONNECT."""
        line: Any = self.client.socket()
        line.shutdown(socket.SHUT_RDWR)
        assert self.lost.wait(WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client._reset_sockets()  # paho does not close its pair of wake-up sockets


class Dashboard:
    """A WebSocket client."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        with trio.fail_after(WAIT_S):
            frame: dict[str, Any] = json.loads(await self.socket.get_message())
            return frame

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next frame of a type with these fields; other frames are skipped."""
        while True:
            frame = await self.next()
            if frame["type"] == kind and all(frame.get(k) == v for k, v in fields.items()):
                return frame

    async def send(self, **message: Any) -> None:
        await self.socket.send_message(json.dumps(message))

    async def closed(self) -> int:
        """The close code."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return int(closed.reason.code) if closed.reason else 0


@asynccontextmanager
async def open_socket(
    roost: Roost, query: str = "", headers: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[Dashboard]:
    """A WebSocket to `/ws/devices`, as a browser or a program opens it."""
    url = roost.url.replace("http", "ws", 1) + "/ws/devices" + query
    extra = [(name.encode(), value.encode()) for name, value in headers]
    async with open_websocket_url(url, ssl_context=roost.trust(), extra_headers=extra) as line:
        yield Dashboard(line)
    # trio-websocket leaves the stream open if the server closed first.
    await trio.aclose_forcefully(line._stream)


def dashboard(roost: Roost, person: Person) -> AbstractAsyncContextManager[Dashboard]:
    """A WebSocket that signs in by header: `async with dashboard(…) as screen`."""
    return open_socket(roost, headers=[("x-auth-token", person.token)])
