"""All devices come back at once: how soon all are connected, and how much others are delayed.

    python -m bench.reconnect [DEVICES] [OTHERS]

DEVICES (2,000) log in, each with its own credentials. Then the broker is killed; each device tries
again, every half second, until it is connected. `back_s` is from the kill to the last CONNACK.
Then all of them leave, and come once more, while OTHERS (50) that are connected publish once a
second at QoS 1: `quiet` and `meanwhile` are the times from publish to PUBACK. Prints JSON.
"""

import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import trio

from bench.service import Service, running
from tests.support import wire

AGAIN_S = 0.5
BACK_WITHIN_S = 300.0
QUIET_S = 15.0
SETTLE_S = 5.0
OTHERS_S = 60.0
EVERY_S = 1.0
CONNACK_BYTES = 4
READING = b'{"value":1}'

Login = tuple[str, str, str]


def logins_of(service: Service, codes: Sequence[str]) -> list[tuple[Login, str]]:
    """New devices: client id, user name and password, and the prefix of their topics."""
    return [
        ((row["client_id"], row["username"], row["password"]), row["topic_prefix"])
        for row in service.import_devices(codes)
    ]


class Storm:
    """Devices that connect, all at once, and stay until told to leave."""

    def __init__(self, port: int, logins: Sequence[Login]) -> None:
        self.port = port
        self.logins = logins
        self.refused = 0
        self._connected = 0
        self._changed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Until cancelled; started when all are connected."""
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            for login in self.logins:
                nursery.start_soon(self._connect, login, stack)
            while self._connected < len(self.logins):
                await self._changed.wait()
                self._changed = trio.Event()
            task_status.started()
            await trio.sleep_forever()

    async def _connect(self, login: Login, stack: AsyncExitStack) -> None:
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self.port)
                await stream.send_all(wire.login_packet(*login))
                said = await stream.receive_some(CONNACK_BYTES)
            except (OSError, trio.BrokenResourceError):
                said = b""
            if len(said) == CONNACK_BYTES and not said[3]:
                break
            self.refused += bool(said)
            await trio.sleep(AGAIN_S)  # the pace of a device that tries again
        stack.push_async_callback(trio.aclose_forcefully, stream)
        self._connected += 1
        self._changed.set()


async def _say(
    port: int,
    login: Login,
    topic: str,
    offset_s: float,
    for_s: float,
    took: list[tuple[float, float]],
) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(wire.login_packet(*login))
    await stream.receive_some(CONNACK_BYTES)
    at_s = trio.current_time() + offset_s
    until_s = at_s + for_s
    while at_s < until_s:
        await trio.sleep_until(at_s)
        at_s += EVERY_S
        began_s = time.monotonic()
        await stream.send_all(wire.publish_packet(topic, READING))
        await stream.receive_some(CONNACK_BYTES)
        took.append((began_s, time.monotonic() - began_s))


def others(port: int, devices: Sequence[tuple[Login, str]], for_s: float, told: Any) -> None:
    """In a process of its own: devices that are connected all the time and publish each second."""
    took: list[tuple[float, float]] = []

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            for n, (login, prefix) in enumerate(devices):
                offset_s = n * EVERY_S / len(devices)
                nursery.start_soon(_say, port, login, f"{prefix}/feeds/t", offset_s, for_s, took)

    trio.run(run)
    told.put(took)


def shown(took: Sequence[tuple[float, float]], from_s: float, to_s: float) -> dict[str, float]:
    mine = [each for at_s, each in took if from_s <= at_s < to_s]
    cuts = statistics.quantiles(mine, n=100)
    return {"p50_ms": round(cuts[49] * 1e3, 1), "p99_ms": round(cuts[98] * 1e3, 1)}


def kill_broker(service: Service) -> None:
    config = service.data_dir / "broker" / "nats.conf"
    subprocess.run(["pkill", "-KILL", "-f", f"nats-server -c {config}"], check=True)


async def come_back(service: Service, logins: Sequence[Login]) -> dict[str, Any]:
    """All log in; the broker is killed; all log in again."""
    found: dict[str, Any] = {}
    for name, kills in (("first_s", True), ("back_s", False)):
        storm = Storm(service.mqtt_port, logins)
        began_s = time.monotonic()
        with trio.fail_after(BACK_WITHIN_S):
            async with trio.open_nursery() as nursery:
                await nursery.start(storm.run)
                found[name] = round(time.monotonic() - began_s, 2)
                found["refused"] = storm.refused
                if kills:
                    kill_broker(service)
                nursery.cancel_scope.cancel()
    return found


async def beside(
    service: Service, logins: Sequence[Login], steady: Sequence[tuple[Login, str]]
) -> dict[str, Any]:
    """All log in once more, while others are connected."""
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    process = context.Process(target=others, args=(service.mqtt_port, steady, OTHERS_S, told))
    process.start()
    await trio.sleep(SETTLE_S)
    quiet_s = time.monotonic()
    await trio.sleep(QUIET_S)
    began_s = time.monotonic()
    async with trio.open_nursery() as nursery:
        await nursery.start(Storm(service.mqtt_port, logins).run)
        ended_s = time.monotonic()
        took = await trio.to_thread.run_sync(told.get)
        nursery.cancel_scope.cancel()
    process.join()
    return {
        "again_s": round(ended_s - began_s, 2),
        "quiet": shown(took, quiet_s, began_s),
        "meanwhile": shown(took, began_s, max(ended_s, began_s + EVERY_S)),
    }


async def measure(service: Service, devices: int, many: int) -> dict[str, Any]:
    service.sign_in()
    service.post("/feeds", {"key": "t", "name": "t"})
    logins = [login for login, _ in logins_of(service, [f"d{n}" for n in range(devices)])]
    steady = logins_of(service, [f"o{n}" for n in range(many)])
    found = await come_back(service, logins)
    return {"devices": devices, **found, **await beside(service, logins, steady)}


def main() -> None:
    given = [int(each) for each in sys.argv[1:]]
    devices, many = (given + [2_000, 50][len(given) :])[:2]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with running("--log-level", "warning", "--devices-of-user", "1000000") as service:
        print(json.dumps(trio.run(measure, service, devices, many)))


if __name__ == "__main__":
    main()
