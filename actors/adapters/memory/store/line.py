"""The connection of a process to its store: calls may be slow, lost, half done, or outlive their
caller.

    line = StoreLine(store, faults)
    Ports(store=line, …)
    faults.away = True                   # every call raises `Unavailable`
    faults.commits.append("answer")      # the next commit is done, and its answer is lost
    faults.calls.waiting.append(("claim_commands", "rolled back"))    # the next one of these is not
    line.cut()                           # the process is killed

PostgreSQL can cause each of these fates, too (`tests/contract/test_store_faults.py`).
"""

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from actors.adapters.memory.broker.line import no_latency
from actors.adapters.memory.store.commits import Poisoned
from actors.adapters.memory.store.fates import CallFates
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.memory.store.tables import CALLER, rolled_back
from actors.ports.store import Batch, Committed
from protocol.errors import Unavailable

# Fates of a commit. "middle": it fails before COMMIT, nothing is stored. "answer": it is stored,
# its answer is lost. "late": its answer is lost, and the server finishes only later. "crash before"
# and "crash after": the caller fails because of its own mistake.
COMMIT_FATES = ("middle", "answer", "late", "crash before", "crash after")
CHANGES = ("add", "update", "delete", "set", "finish")  # how calls that change something begin
DUE_WORK = ("claim", "plan")  # how calls begin that look for due work
ANSWERED_LATE = ("session_memory",)  # they wait in the server, and change nothing
LATE_S = 3.0
WORK_S = 0.002


class Killed(BaseException):
    """The process that called was killed; nothing happens in it any more. Not an `Exception`,
    because no handler of the killed process may catch it."""


class LineCrash(Exception):
    """An unexpected error of a call to the store."""


class StoreFaults:
    """What happens to calls on the connection, for every process of a world.

    Attributes:
        away: every call raises `Unavailable`.
        latency: seconds that each way takes.
        work_s: how long the server takes for a commit.
        commits: fates of the next commits, from `COMMIT_FATES`.
        calls: fates of other calls, whichever they are.
        answers: so many other calls that change something are done, but answered `Unavailable`.
        crashes: so many calls that load something raise an unexpected error.
        job_crashes: so many calls that claim or plan due work do.
        lead_answers: so many calls about the lead are done, but answered `Unavailable`.
        lead_late_s: how long each call about the lead is delayed.
        bad_devices: loading one of them raises an unexpected error; likewise for `bad_sessions`.
        told: called with every fault that had an effect, by its name, and what it was about.
    """

    def __init__(self, told: Callable[..., None] = lambda *fault: None) -> None:
        self.away = False
        self.latency: Callable[[], float] = no_latency
        self.work_s = WORK_S
        self.commits: deque[str] = deque()
        self.calls = CallFates()
        self.answers = 0
        self.crashes = 0
        self.job_crashes = 0
        self.lead_answers = 0
        self.lead_late_s = 0.0
        self.bad_devices: list[tuple[str, str]] = []
        self.bad_sessions: list[str] = []
        self.told = told

    def stop(self) -> None:
        """From here on the store works."""
        self.away, self.latency, self.work_s = False, no_latency, WORK_S
        self.answers = self.crashes = self.job_crashes = self.lead_answers = 0
        self.lead_late_s = 0.0
        self.bad_devices.clear()
        self.bad_sessions.clear()
        self.commits.clear()
        self.calls.stop()


class StoreLine:
    """See `actors.ports.store.Store`: the side of one process."""

    def __init__(self, store: MemoryStore, faults: StoreFaults) -> None:
        self._store = store
        self._faults = faults
        self._is_cut = False
        self._hangs_until_s = self._parted_until_s = float("-inf")
        self._begun: dict[str, Batch] = {}

    def written(self) -> tuple[int, int]:
        """Readings and refusals that this process brought into the store, as counted there."""
        stored = refused = 0
        for name, batch in self._begun.items():
            done = self._store.done(name)
            if done is not None:
                stored += sum(len(unit.readings) for unit in batch.units) - sum(done.duplicates)
                refused += sum(unit.refused for unit in batch.units)
        return stored, refused

    def hang(self, seconds: float) -> None:
        """The process is stopped (SIGSTOP): for this time nothing moves in either direction."""
        self._hangs_until_s = trio.current_time() + seconds

    def part(self, seconds: float) -> None:
        """The process is cut off from the store, which others still reach."""
        self._parted_until_s = trio.current_time() + seconds

    def cut(self) -> None:
        """The process is killed. A commit that the server has received is finished nevertheless."""
        self._is_cut = True

    async def follow_people(
        self, heard: Callable[[str], None], begun: Callable[[], None], check_s: float
    ) -> None:
        await self._cross()
        with self._store.following(heard, self):
            begun()
            while True:
                await trio.sleep(check_s)
                await self._cross()
                if self._fate_of("follow_people"):
                    raise Unavailable("the connection that is told of changes was lost")

    def __getattr__(self, name: str) -> Any:
        """Every call except `commit`: to the server, done at once, and back."""

        async def crossing(*args: Any, **options: Any) -> Any:
            await self._cross()
            if name == "hold_lead" and self._faults.lead_late_s:
                self._faults.told("lead: heartbeat late")
                await trio.sleep(self._faults.lead_late_s)
            if self._faults.crashes and name in ("load_devices", "snapshot"):
                self._faults.crashes -= 1
                self._faults.told("store: unforeseen error")
                raise LineCrash(name)
            if self._faults.job_crashes and name.partition("_")[0] in DUE_WORK:
                self._faults.job_crashes -= 1
                self._faults.told("store: job fails")
                raise LineCrash(name)
            if name == "load_devices" and any(key in self._faults.bad_devices for key in args[0]):
                self._faults.told("device: bad row")
                raise LineCrash("a device that cannot be read")
            if name == "session" and args[0] in self._faults.bad_sessions:
                self._faults.told("session: bad row")
                raise LineCrash("a session that cannot be read")
            call = getattr(self._store, name)
            token = CALLER.set(self)
            try:
                answer = await self._made(name, partial(call, *args, **options))
            finally:
                CALLER.reset(token)
            if name == "hold_lead" and self._faults.lead_answers:
                self._faults.lead_answers -= 1
                self._faults.told("lead: answer lost")
                raise Unavailable("the answer about the lead was lost")
            if self._faults.answers and name.partition("_")[0] in CHANGES:
                self._faults.answers -= 1
                self._faults.told("store: answer of a call lost")
                raise Unavailable(f"the answer to {name} was lost")
            await self._cross()
            return answer

        vars(self)[name] = crossing  # found there the next time
        return crossing

    async def _made(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """The call itself, with its fate."""
        calls = self._faults.calls
        fate = self._fate_of(name)
        if fate == "before":
            raise Unavailable(f"{name} did not arrive")
        if fate in ("overtaken", "rolled back"):
            await calls.wait_other()
            if self._is_cut:
                raise Killed
        if fate == "rolled back":
            if name not in ANSWERED_LATE:
                with rolled_back():
                    await call()
            raise Unavailable(f"{name} was rolled back")
        answer = await call()
        calls.call_done()
        if fate == "after":
            raise Unavailable(f"the answer to {name} was lost")
        return answer

    def _fate_of(self, name: str) -> str:
        fate = self._faults.calls.of(name)
        if fate:
            self._faults.told(f"store: call, {fate}", name)
        return fate

    async def commit(self, batch: Batch) -> Committed:
        await self._cross()
        fate = self._faults.commits.popleft() if self._faults.commits else ""
        if fate:
            self._faults.told(f"store: commit, {fate}")
        if fate == "middle":
            raise Unavailable("the connection was lost in the middle of a commit")
        if fate == "crash before":
            raise LineCrash("before a commit")
        try:
            self._store.begin(batch, LATE_S if fate == "late" else self._faults.work_s)
        except Poisoned:
            self._faults.told("store: poison")
            raise
        self._begun[batch.id] = batch
        if fate == "late":
            raise Unavailable("the connection was lost while the server committed")
        committed = await self._store.finish(batch.id)
        if fate == "answer":
            raise Unavailable("the answer to a commit was lost")
        if fate == "crash after":
            raise LineCrash("after a commit")
        await self._cross()
        return committed

    async def _cross(self) -> None:
        """One direction."""
        delay_s = self._faults.latency()
        if delay_s:
            await trio.sleep(delay_s)
        else:
            await trio.lowlevel.checkpoint()
        if self._hangs_until_s > trio.current_time():
            await trio.sleep_until(self._hangs_until_s)
        if self._is_cut:
            raise Killed
        if self._faults.away or self._parted_until_s > trio.current_time():
            raise Unavailable("the memory store is away")
