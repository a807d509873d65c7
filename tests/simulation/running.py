"""Run a world: virtual time, a seeded scheduler, and a service of the size that the plan wants."""

import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from math import inf
from typing import Any

import msgspec
import pytest
import structlog
import trio
import trio.testing
from trio._core import _run

from tests.simulation import flooding, hoarding
from tests.simulation.broken import Broken
from tests.simulation.email_model import Mailbox
from tests.simulation.plan import Fault, Plan, Verify
from tests.simulation.process import LOOK_AT_OTHERS_S
from tests.simulation.scenario import live
from tests.simulation.world import BROKERS, World
from tests.support.applications import made_quickly

# Bounds of a small service: all are reached within a plan. They keep the order in which the real
# ones stand: the writer's above the gateway's, what is known of a session twice its window.
SMALL: dict[str, int] = {
    "actors.ingest.room:IN_FLIGHT_MAX": 24,
    "actors.ingest.room:BYTES_MAX": 150_000,
    "actors.device.registry:ACTORS_MAX": 3,
    "actors.device.registry:READINGS_MAX": 6,
    "actors.device.registry:CONTROL_MAX": 4,
    "actors.device.loader:LOAD_MAX": 2,
    "actors.ingest.writer:ROWS_MAX": 4,
    "actors.ingest.writer:DEVICE_ROWS_MAX": 2,
    "actors.ingest.writer:UNITS_MAX": 40,
    "actors.user.registry:EVENTS_MAX": 6,
    "actors.user.registry:CONTROL_MAX": 2,
    "actors.user.snapshots:PAGE_MAX": 2,
    "actors.user.outbox:EVENTS_MAX": 8,
    "actors.user.outbox:TAKE_MAX": 3,
    "actors.runtime.cell:TURN_MAX": 2,
    "actors.ingest.digests:KNOWN_MAX": 16,
    "actors.user.registry:DASHBOARDS_MAX": 8,
    "actors.due.commands:QUEUE_MAX": 5,
    "actors.due.commands:NOTES_MAX": 2,
    "actors.due.occurrences:CLAIM_MIN": 4,
    "actors.due.occurrences:CLAIM_MAX": 5,
    "actors.due.occurrences:PLAN_MAX": 2,
    "actors.due.webhooks:SENDERS": 4,
    "actors.due.webhooks:EACH_MAX": 2,
    "actors.runtime.timer:TURN_MAX": 3,
    "actors.runtime.timer:DEAD_MIN": 3,
    "actors.device.leases:TURN_MAX": 2,
    "actors.device.registry:LOOKED_AT_MAX": 2,
    "actors.device.loader:ASIDE_MAX": 1,
    "actors.access.sessions:KEPT_MAX": 2,
    "actors.access.sessions:ASKED_MAX": 1,
    "actors.user.republisher:PAGE": 2,
    "actors.user.republisher:FEEDS_PAGE": 5,
    "actors.user.retained:ROOM": 2,
    "actors.due.dead_letters:AGAIN_MAX": 1,
    "actors.due.rollups:COMMITS_MAX": 8,
    "actors.ingest.refusal_budget:DEVICE_PER_HOUR": 3,
    "actors.ingest.refusal_budget:USER_PER_HOUR": 6,
    "actors.ingest.refusal_budget:USER_BYTES_PER_HOUR": 3_000,
}
SMALL_WINDOW = 8
SMALL_PACKET_IDS = 12  # they come round again soon
# Virtual time: far beyond any plan, so that a deadlock is found and not waited for.
LIFE_MAX_S = 24 * 3600.0


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a plan."""

    plan: Plan
    world: World
    error: BaseException | None


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Trio's scheduler takes its chances from the seed (guarded in `contract/guards`)."""
    with pytest.MonkeyPatch.context() as patch, made_quickly(), without_kernel():
        patch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        _run._r.seed(seed)
        yield


@contextmanager
def without_kernel() -> Iterator[None]:
    """A life has no sockets and no real time: Trio asks the kernel for neither at every turn of its
    loop. It comes to the same (`test_replay.py`)."""
    io_manager: Any = vars(_run)["TheIOManager"]
    ask = io_manager.get_events

    def get_events(manager: Any, timeout_s: float) -> Any:
        came_in = _run.GLOBAL_RUN_CONTEXT.runner.entry_queue
        if came_in.queue or came_in.idempotent_queue:  # Ctrl-C, or an end of an async generator
            return ask(manager, timeout_s)
        return []

    def jump(clock: Any) -> None:
        deadline_s = _run.GLOBAL_RUN_CONTEXT.runner.deadlines.next_deadline()
        if 0 < (jump_s := deadline_s - clock._virtual_base) < inf:
            clock._virtual_base += jump_s

    def current_time(clock: Any) -> float:
        virtual_s: float = clock._virtual_base  # at rate 0 real time adds nothing to it
        return virtual_s

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io_manager, "get_events", get_events)
        patch.setattr(trio.testing.MockClock, "current_time", current_time)
        patch.setattr(trio.testing.MockClock, "_autojump", jump)
        yield


@contextmanager
def no_collections() -> Iterator[None]:
    """Cyclic garbage stays until the end: no finalizer runs at a moment that no seed chose, and a
    life costs a quarter less."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def sized(small: bool) -> Iterator[None]:
    """The bounds of a small service, or the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        for place, bound in SMALL.items() if small else ():
            module, _, name = place.partition(":")
            patch.setattr(import_module(module), name, bound)
        yield


@contextmanager
def logging_into(world: World) -> Iterator[None]:
    """What the service logs becomes a part of the world's trace."""
    before = structlog.get_config()
    structlog.configure(processors=[world.logs], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def run(plan: Plan) -> Outcome:
    """Live through a plan, from its first step to the last check."""
    habits = BROKERS[plan.broker]
    if plan.small:
        habits = msgspec.structs.replace(habits, window=SMALL_WINDOW, packet_ids=SMALL_PACKET_IDS)
    world = World(plan.seed, habits, plan.idle_s, plan.reactions, plan.answers, many=plan.many)
    if flooding.floods(plan.steps):
        world.rates = flooding.RATES
    if any(isinstance(step, Fault) and step.kind == "process paused" for step in plan.steps):
        # What it asked of the store may come there after its end, and nobody is told of it.
        world.look_again_s = LOOK_AT_OTHERS_S
    if any(isinstance(step, Verify) for step in plan.steps):
        world.mailbox = Mailbox()
    if hoarding.hoards(plan.steps):
        world.bounds = hoarding.BOUNDS
    try:
        with sized(plan.small):
            simulate(world, lambda world: live(world, plan))
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 (whatever it is, it is told)
        return Outcome(plan=plan, world=world, error=first_of(error))
    return Outcome(plan=plan, world=world, error=None)


def simulate(world: World, scenario: Callable[[World], Awaitable[None]]) -> None:
    """Run a scenario in a world. Whatever it raises comes out."""
    with logging_into(world):
        run_virtually(partial(scenario, world), seed=world.seed)


def run_virtually(
    work: Callable[[], Awaitable[Any]],
    *,
    seed: int = 0,
    clock: object = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> Any:
    """`trio.run` on virtual time and with a seed; takes what pytest-trio gives a runner.

    Raises:
        Broken: somebody waits for ever.
    """

    async def bounded() -> Any:
        with trio.move_on_after(LIFE_MAX_S):
            return await work()
        raise Broken("I6", "the world stands still: somebody waits for ever")

    with deterministic(seed), no_collections():
        virtual = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(bounded, clock=virtual, instruments=instruments)


def first_of(error: BaseException) -> BaseException:
    """The broken invariant out of a group of errors, or else the first of them."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    broken = error.split(Broken)[0]
    group: BaseException = broken or error
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
