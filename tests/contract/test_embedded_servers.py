"""Embedded servers as our children: how they start, hang and end. Nothing of them is ever left."""

import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
import trio

from actors.runtime.made_once import MadeOnce
from roost.embedded import child, data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.child import Keeper
from roost.embedded.postgres import EmbeddedPostgres
from tests.conftest import Logs

PASSWORD = "of-the-tests"


class MakeServer(Protocol):
    def __call__(self, folder: Path, /) -> child.Server: ...


def make_postgres(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder / "postgres", folder / "postgres.log", PASSWORD)


def make_broker(folder: Path) -> EmbeddedBroker:
    secrets = data_dir.read_secrets(folder)
    return EmbeddedBroker(folder / "broker", folder / "broker.log", "127.0.0.1", 0, secrets)


SERVERS = [pytest.param(make_postgres, id="postgres"), pytest.param(make_broker, id="broker")]


def living(folder: Path) -> list[str]:
    """The processes that work in a folder or name it. What is just ending, which has no command any
    more, and zombies are left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = str((entry / "cwd").readlink())
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if not command or int(entry.name) == os.getpid():
            continue
        if f"{folder}/" in f"{where}/ {command}/":
            found.append(f"{entry.name} {command}")
    return found


class Steps(trio.abc.Instrument):
    """Calls `then` after so many steps of tasks: each is an await."""

    def __init__(self, left: int, then: Callable[[], None]) -> None:
        self._left = left
        self._then = then

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._then()


async def start_cancelled(server: child.Server, after_steps: int) -> bool:
    """Start a server as `roost up` does, cancelled after so many awaits. Whether it was too late
    for that: then it is stopped in order."""
    served = False
    with trio.CancelScope() as scope:
        steps = Steps(after_steps, scope.cancel)
        trio.lowlevel.add_instrument(steps)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(Keeper(server, random.Random(1)).run)
                served = True
                nursery.cancel_scope.cancel()
        finally:
            trio.lowlevel.remove_instrument(steps)
    return served


@pytest.mark.parametrize("make", SERVERS)
async def test_a_start_that_is_cancelled_at_any_await_leaves_no_child(
    make: MakeServer, tmp_path: Path
) -> None:
    assert await start_cancelled(make(tmp_path), 0)  # it has its data now
    steps = 0
    is_served = False
    while not is_served:
        steps += 1
        is_served = await start_cancelled(make(tmp_path), steps)
        assert living(tmp_path) == [], f"cancelled after {steps} awaits"
    assert steps > 2


async def test_initdb_that_is_cancelled_leaves_no_child_and_no_database(tmp_path: Path) -> None:
    for n in range(6):
        folder = tmp_path / str(n)
        folder.mkdir()
        server = make_postgres(folder)
        with trio.move_on_after(n * 0.1) as scope:
            process = await server.start()
        if not scope.cancelled_caught:  # a quick machine
            await server.stop(process)
        assert living(folder) == []
        data = folder / "postgres"
        assert not data.exists() or (
            n > 0 and (data / "PG_VERSION").exists()
        )  # none or a whole one


async def test_a_postgres_that_hangs_is_ended_with_all_its_processes(
    tmp_path: Path, logs: Logs
) -> None:
    server = make_postgres(tmp_path)
    process = await server.start()
    stopped = [int(line.split()[0]) for line in living(tmp_path)]
    assert len(stopped) > 3
    signal_all(stopped, signal.SIGSTOP)
    try:
        await server.stop(process, hung=True)
        assert living(tmp_path) == []
        again = await server.start()  # nothing keeps its shared memory
        await server.stop(again)
        assert living(tmp_path) == []
    finally:
        signal_all(stopped, signal.SIGKILL)


def signal_all(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.parametrize("make", SERVERS)
async def test_a_server_is_restarted_when_somebody_asks(
    make: MakeServer, tmp_path: Path, logs: Logs
) -> None:
    logs.claim("server is restarted")
    async with trio.open_nursery() as nursery:
        keeper = Keeper(make(tmp_path), random.Random(1))
        await nursery.start(keeper.run)
        before = living(tmp_path)
        signal_all([int(line.split()[0]) for line in before], signal.SIGSTOP)
        keeper.restart("it hangs", hung=True)
        with trio.fail_after(20):
            while not (keeper.serves and living(tmp_path)) or set(living(tmp_path)) & set(before):
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    assert living(tmp_path) == []
    assert [entry["why"] for entry in logs.of("server is restarted")] == ["it hangs"]


LOOKS_AT_FILES = ("open", "os.listdir", "os.scandir", "os.remove", "os.rename")


class Audit:
    """What this process opens, lists and starts, by the thread of all tasks, while `is_on`. A hook
    cannot be taken away, so there is one for all tests."""

    def __init__(self) -> None:
        self.is_on = False
        self.started: list[str] = []
        self.opened: list[str] = []
        self._thread = threading.get_ident()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.is_on or threading.get_ident() != self._thread:
            return
        if event == "subprocess.Popen":
            self.started.append(" ".join(map(str, args[1])))
        elif event in LOOKS_AT_FILES and not isinstance(args[0], int):
            self.opened.append(os.fsdecode(args[0]))


@pytest.fixture(scope="module")
def audit() -> Audit:
    return Audit()


@pytest.mark.parametrize("make", SERVERS)
async def test_a_start_and_a_restart_wait_for_no_file_and_no_other_program(
    make: MakeServer, tmp_path: Path, logs: Logs, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But in threads. A service goes on while a server of its starts again."""
    logs.claim("server is restarted")
    await start_cancelled(make(tmp_path), 0)  # it has its data now
    fresh = MadeOnce(child._ask_setpriv)  # as in a process that has started no server yet
    monkeypatch.setattr(child, "ends_with_parent", fresh)
    server = make(tmp_path)
    async with trio.open_nursery() as nursery:
        keeper = Keeper(server, random.Random(1))
        audit.is_on = True
        try:
            await nursery.start(keeper.run)
            keeper.restart("it shall", hung=True)
            with trio.fail_after(20):
                while not (keeper.serves and len(audit.started) > 1):
                    await trio.sleep(0.02)
        finally:
            audit.is_on = False
        nursery.cancel_scope.cancel()
    opened = [path for path in audit.opened if path.startswith((str(tmp_path), "/proc"))]
    started, audit.started, audit.opened = audit.started, [], []
    assert opened == []
    # The servers themselves are started here: they are to end with this thread (`child`).
    assert len(started) == 2
    assert all(str(tmp_path) in command for command in started), started


class Failing:
    """A server that ends at once, while the disk is full."""

    name = "failing"

    def __init__(self) -> None:
        self.starts = 0

    async def start(self) -> child.Process:
        self.starts += 1
        await trio.lowlevel.checkpoint()
        if self.starts > 1:
            raise child.ChildFailed("no space left")
        return await child.spawn(["true"], Path(os.devnull))

    async def stop(self, process: child.Process, *, hung: bool = False) -> None:
        await child.stop(process)


async def test_a_disk_without_room_is_waited_for_before_a_server_is_started_again(
    logs: Logs,
) -> None:
    logs.claim("server ended")
    server, asked = Failing(), trio.Event()

    async def wait_room() -> None:
        asked.set()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        keeper = Keeper(server, random.Random(1), wait_room)
        await nursery.start(keeper.run)
        await asked.wait()
        assert server.starts == 1
        assert not keeper.serves
        nursery.cancel_scope.cancel()
