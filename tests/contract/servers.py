"""NATS and Mosquitto as processes that end and start again on the same data; who else logs in."""

import itertools
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trio

from actors.adapters.memory.broker.habits import Habits
from actors.adapters.mqtt.client import Address
from roost.embedded import child, data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.settings import free_port
from tests.conftest import needs
from tests.contract.habits import MOSQUITTO_5
from tests.support import wire
from tests.support.mosquitto import configure

_numbers = itertools.count()


class Nats:
    """The embedded NATS server."""

    def __init__(self, folder: Path) -> None:
        secrets = data_dir.read_secrets(folder)
        self.server = EmbeddedBroker(folder / "data", folder / "log", "127.0.0.1", 0, secrets)
        self.address = self.server.address

    async def start(self) -> "subprocess.Popen[bytes]":
        return await self.server.start()


class Mosquitto:
    """A Mosquitto with the settings that lose nothing (its defaults do)."""

    def __init__(self, folder: Path, autosave_s: int) -> None:
        self._exe = needs("mosquitto")
        needs("mosquitto_passwd")
        self._folder = folder
        port = free_port("127.0.0.1")
        self.address = Address("127.0.0.1", port, "roost", "pw")
        self._config = configure(folder, port, "pw", autosave_s)

    async def start(self) -> "subprocess.Popen[bytes]":
        command: list[str | Path] = [self._exe, "-c", self._config]
        process = await child.spawn(command, self._folder / "log")
        with trio.fail_after(10):
            while True:
                with suppress(OSError):
                    logged_in(self.address, "probe").close()
                    return process
                await trio.sleep(0.02)


class Served:
    """A server that runs until `close`: the `World` of a rig."""

    def __init__(self, server: Nats | Mosquitto, habits: Habits) -> None:
        self.address = server.address
        self.habits = habits
        self._server = server
        self._process = trio.run(server.start)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    async def restart(self, how: str) -> None:
        if how == "kill":
            self._process.kill()
        else:
            self._process.terminate()
        with trio.fail_after(10):
            await child.wait_end(self._process)
        self._process = await self._server.start()

    async def burst(self, messages: Sequence[tuple[str, bytes]]) -> None:
        def publish() -> None:
            with logged_in(self.address, device_name()) as line:
                wire.publish_all(line, messages)

        await trio.to_thread.run_sync(publish)

    async def lose(self, session: str) -> None:
        await trio.to_thread.run_sync(self.lose_now, session)

    def lose_now(self, session: str) -> None:
        with logged_in(self.address, session) as line:
            wire.leave(line)

    @asynccontextmanager
    async def device(self, will: tuple[str, bytes]) -> AsyncIterator[Callable[[], None]]:
        with await trio.to_thread.run_sync(logged_in, self.address, device_name(), will) as line:
            yield line.close
            with suppress(OSError):  # cut, or the broker has ended
                await trio.to_thread.run_sync(wire.leave, line)


def logged_in(address: Address, name: str, will: tuple[str, bytes] | None = None) -> socket.socket:
    assert address.username is not None and address.password is not None
    login = (address.username, address.password)
    return wire.connect(address.host, address.port, name, *login, will)


def device_name() -> str:
    return f"others-{next(_numbers)}"


@contextmanager
def mosquitto(folder: Path) -> Iterator[Address]:
    """A Mosquitto that saves every five seconds, as the manual tells to."""
    served = Served(Mosquitto(folder, autosave_s=5), MOSQUITTO_5)
    try:
        yield served.address
    finally:
        served.close()
        shutil.rmtree(folder, ignore_errors=True)
