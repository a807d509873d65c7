"""Every fault that a world knows, by its name: a plan draws them, a test asks for one.

    world.fault("store away", seconds=5)
    world.fault("line cut", target="roost-part-0")

A fault counts as fired (`world.trace.fired`) when it had an effect.
"""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from actors.adapters.memory.broker.line import no_latency
from actors.adapters.memory.store.fates import CALL_FATES
from actors.adapters.memory.store.line import COMMIT_FATES, WORK_S
from protocol.times import SECOND_US
from web.ops.readiness import assess

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

Act = Callable[["World", float, str], Awaitable[None]]

LATENCY_MAX_S = 0.3
LEADS_S = 0.1
SLOW_COMMIT_S = 2.0
COMMIT_MAX_S = 2.0
FLAKY = 0.15


def session_of(world: "World", target: str) -> str:
    """A session by its name, or one that the seed chooses."""
    return target or world.rng.choice([plan.client_id for plan in world.broker.plans])


async def line_cut(world: "World", seconds: float, target: str) -> None:
    """The connection of one session of ours breaks."""
    session = session_of(world, target)
    if world.broker.drop(session):
        world.trace.fault("line cut", session)


async def line_stalls(world: "World", seconds: float, target: str) -> None:
    """Nothing moves on one session's connection, then all of it."""
    session = session_of(world, target)
    if world.broker.stall(session, seconds):
        world.trace.fault("line stalls", session)


async def line_slow(world: "World", seconds: float, target: str) -> None:
    """What new connections carry arrives late; the present ones are cut to make new."""
    rng = random.Random(world.rng.random())
    world.broker.latency = lambda: rng.random() * LATENCY_MAX_S
    for plan in world.broker.plans:
        world.broker.drop(plan.client_id)
    world.trace.fault("line slow")
    await trio.sleep(seconds)
    world.broker.latency = no_latency


async def broker_restart(world: "World", seconds: float, target: str) -> None:
    """`kill -9` of NATS, an orderly stop of Mosquitto; it is away for a moment."""
    world.trace.fault("broker killed")
    world.broker.restart(killed=not world.broker.habits.kill_loses)
    await broker_away(world, seconds, target)


async def broker_away(world: "World", seconds: float, target: str) -> None:
    """Nobody gets a connection, no device can publish."""
    world.trace.fault("broker away")
    world.broker.away = True
    world.broker.drop_all()
    await trio.sleep(seconds)
    world.broker.away = False


async def session_lost(world: "World", seconds: float, target: str) -> None:
    """The broker forgets a session of ours."""
    session = session_of(world, target)
    world.broker.lose(session)
    world.trace.fault("session lost", session)


async def store_away(world: "World", seconds: float, target: str) -> None:
    world.trace.fault("store away")
    world.store_faults.away = True
    await trio.sleep(seconds)
    world.store_faults.away = False


async def disk_full(world: "World", seconds: float, target: str) -> None:
    """There is no room for anything new: nothing is taken meanwhile, and all of it later."""
    process = world.replicas.leader()
    if process is None:
        return
    world.trace.fault("disk nearly full")
    world.machine.takes = False
    before = _taken_by(process)
    await trio.sleep(seconds)
    # Fewer than before: what was taken at QoS 0 and then given up counts as shed. What is above a
    # rate is refused unread.
    if not world.machine.takes and not process.is_dead and _taken_by(process) > before:
        world.break_with("I5", "taken while the disk was nearly full")
    world.machine.takes = True


def _taken_by(process: "Process") -> int:
    total = process.service.counters.total
    return total.received - total.shed - total.limited


async def outage(world: "World", seconds: float, target: str) -> None:
    """The store is away for so long that no canary passes: `/readyz` has to say so meanwhile, and
    what was taken and is owed has to be counted."""
    late_s = 2 * world.pulse.canary_s
    world.trace.fault("store: away for minutes")
    world.store_faults.away = True
    await trio.sleep(late_s + seconds)
    process = world.replicas.leader()
    if world.store_faults.away and process is not None:
        found = await assess(process.service)
        if found.status != "not ready":
            world.break_with("I6", f"{found.status} after {late_s:.0f} s without a canary: {found}")
        in_flight = process.service.gateway.room.messages
        if in_flight and not process.service.own_sessions.unsettled()[0]:
            world.break_with("I4", f"{in_flight} in flight, and nothing is owed")
    world.store_faults.away = False


async def store_slow(world: "World", seconds: float, target: str) -> None:
    """Every call takes its time, and so does the server over a commit."""
    rng = random.Random(world.rng.random())
    world.store_faults.latency = lambda: rng.random() * LATENCY_MAX_S
    world.store_faults.work_s = rng.random() * COMMIT_MAX_S
    world.trace.fault("store slow")
    await trio.sleep(seconds)
    world.store_faults.latency, world.store_faults.work_s = no_latency, 0.002


async def commit_fate(fate: str, world: "World", seconds: float, target: str) -> None:
    """The next commit has this fate."""
    world.store_faults.commits.append(fate)


async def call_answer_lost(world: "World", seconds: float, target: str) -> None:
    """The next change of settings is done, and answered with nothing."""
    world.store_faults.answers += 1


async def lead_lost(world: "World", seconds: float, target: str) -> None:
    """Somebody else leads for a moment."""
    await world.store.hold_lead("somebody", LEADS_S, seize=True)
    await world.store.resign_lead("somebody")
    world.trace.fault("lead: lost")


async def overtaken_in_a_commit(world: "World", seconds: float, target: str) -> None:
    """Somebody else leads for a moment during a slow commit: the next one is refused."""
    world.store_faults.work_s = SLOW_COMMIT_S
    await trio.sleep(SLOW_COMMIT_S / 2)
    await lead_lost(world, seconds, target)
    await trio.sleep(SLOW_COMMIT_S)
    world.store_faults.work_s = WORK_S


async def lead_twice(world: "World", seconds: float, target: str) -> None:
    """The lease is gone, as from a backup of the database: whoever asks first has it, and who had
    it does not know yet."""
    world.store.forget_lead()
    world.trace.fault("lead: two hold it")


async def lead_answer_lost(world: "World", seconds: float, target: str) -> None:
    world.store_faults.lead_answers += 1


async def lead_late(world: "World", seconds: float, target: str) -> None:
    """For a while each renewal takes longer than the lease."""
    world.store_faults.lead_late_s = 4 * world.pulse.beat_s
    await trio.sleep(seconds)
    world.store_faults.lead_late_s = 0.0


async def process_paused(world: "World", seconds: float, target: str) -> None:
    """SIGSTOP, and SIGCONT so many seconds later."""
    process = _struck(world, target, "process: paused", seconds)
    if process is not None:
        process.hang(seconds)


async def parted_from_store(world: "World", seconds: float, target: str) -> None:
    process = _struck(world, target, "process: cut off from the store", seconds)
    if process is not None:
        process.part_from_store(seconds)


async def parted_from_broker(world: "World", seconds: float, target: str) -> None:
    process = _struck(world, target, "process: cut off from the broker", seconds)
    if process is not None:
        process.part_from_broker(seconds)


def _struck(world: "World", target: str, kind: str, seconds: float) -> "Process | None":
    """Whom a fault of one process meets; None where there is none just now."""
    process = world.replicas.one_of(target)
    if process is not None:
        world.trace.fault(kind, f"{process.number} for {seconds:g} s")
    return process


async def call_fate(fate: str, world: "World", seconds: float, target: str) -> None:
    """The next call of that name, or whichever it is, has this fate."""
    world.store_faults.calls.waiting.append((target, fate))


async def store_flaky(world: "World", seconds: float, target: str) -> None:
    """For a while, whichever call may have any fate."""
    rng, calls = random.Random(world.rng.random()), world.store_faults.calls
    calls.drawn = lambda name: rng.choice(CALL_FATES) if rng.random() < FLAKY else ""
    world.trace.fault("store flaky")
    await trio.sleep(seconds)
    calls.drawn = None


async def load_fails(world: "World", seconds: float, target: str) -> None:
    """The next loading of devices raises what nobody foresaw."""
    world.store_faults.crashes += 1


async def job_fails(world: "World", seconds: float, target: str) -> None:
    """The next look for due work raises what nobody foresaw."""
    world.store_faults.job_crashes += 1


async def zone_unknown(world: "World", seconds: float, target: str) -> None:
    """This machine does not know the zone of a schedule any more, until the checks."""
    await world.poison.spoil_schedule()


async def row_spoiled(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_device(seconds, target)


async def payload_spoiled(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_command(seconds)


async def secret_spoiled(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_secret(seconds)


async def alarm_spoiled(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_alarm(seconds)


async def session_spoiled(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_session(seconds)


async def sums_fail(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_minute(seconds)


async def minutes_expire(world: "World", seconds: float, target: str) -> None:
    """Sums of minutes that are older than so many seconds are kept no longer."""
    store, before_us = world.store, world.store.minutes_since
    await store.expire_minute_sums(world.clock.peek_us() - round(seconds * SECOND_US))
    if store.minutes_since > before_us:
        world.trace.fault("rollup: minutes expired", f"{seconds:g} s ago")


async def delivery_spoiled(world: "World", seconds: float, target: str) -> None:
    await world.poison.spoil_delivery(seconds)


async def junk_notices(world: "World", seconds: float, target: str) -> None:
    world.poison.send_notices()


async def actor_crash(times: int, world: "World", seconds: float, target: str) -> None:
    """The next step of an actor (its name, or any) raises; so does the same message again."""
    world.crash_next(target, times)


async def clock_jump(world: "World", seconds: float, target: str) -> None:
    """Somebody sets the wall clock by so many seconds."""
    world.clock.jump(seconds)
    world.trace.fault("clock forward" if seconds > 0 else "clock back", f"{seconds:g} s")


ACTS: dict[str, Act] = {
    "line cut": line_cut,
    "line stalls": line_stalls,
    "line slow": line_slow,
    "broker killed": broker_restart,
    "broker away": broker_away,
    "session lost": session_lost,
    "store away": store_away,
    "outage": outage,
    "disk nearly full": disk_full,
    "store slow": store_slow,
    **{f"commit {fate}": partial(commit_fate, fate) for fate in COMMIT_FATES},
    **{f"call {fate}": partial(call_fate, fate) for fate in CALL_FATES},
    "store flaky": store_flaky,
    "answer lost": call_answer_lost,
    "lead lost": lead_lost,
    "overtaken in a commit": overtaken_in_a_commit,
    "lead twice": lead_twice,
    "lead answer lost": lead_answer_lost,
    "lead late": lead_late,
    "process paused": process_paused,
    "parted from store": parted_from_store,
    "parted from broker": parted_from_broker,
    "load fails": load_fails,
    "job fails": job_fails,
    "zone unknown": zone_unknown,
    "row spoiled": row_spoiled,
    "payload spoiled": payload_spoiled,
    "secret spoiled": secret_spoiled,
    "alarm spoiled": alarm_spoiled,
    "session spoiled": session_spoiled,
    "sums fail": sums_fail,
    "minutes expire": minutes_expire,
    "delivery spoiled": delivery_spoiled,
    "junk notices": junk_notices,
    "actor crash": partial(actor_crash, 1),
    "actor crash twice": partial(actor_crash, 2),
    "clock": clock_jump,
}

# Every name under which something may fire (`Trace.fault`); a search that never saw it is too weak.
KINDS = (
    "line cut",
    "line stalls",
    "line slow",
    "broker killed",
    "broker away",
    "session lost",
    "listener: missed a state",
    "store away",
    "store: away for minutes",
    "store slow",
    "disk nearly full",
    *(f"store: commit, {fate}" for fate in COMMIT_FATES),
    *(f"store: call, {fate}" for fate in CALL_FATES),
    "store flaky",
    "store: answer of a call lost",
    "store: unforeseen error",
    "store: poison",
    "store: job fails",
    "schedule: unknown zone",
    "device: bad row",
    "command: spoiled",
    "webhook: spoiled secret",
    "webhook: spoiled delivery",
    "alarm: bad row",
    "session: bad row",
    "rollup: sums fail",
    "rollup: minutes expired",
    "database: junk notices",
    "device: floods",
    "device shut out",
    "actor crash",
    "actor crash, same message again",
    "receiver: hangs",
    "receiver: refuses",
    "clock forward",
    "clock back",
    "lead: lost",
    "lead: two hold it",
    "lead: answer lost",
    "lead: heartbeat late",
    "process: paused",
    "process: cut off from the store",
    "process: cut off from the broker",
    "process killed",
    "process killed, something in flight",
    "process stopped",
    "process stopped, something in flight",
    "device: delayed",
    "device: sent twice",
    "device: overtaken",
    "device: dropped, sent again",
    "device: did not wait for its CONNACK",
    "device: vanished, its will sent",
    "device: hostile payload",
    "device: deaf",
    "device: edge of float64",
    "import: bad rows",
    "dashboard: slow",
    "dashboard: vanished",
    "client hung up",
    "settings changed",
    "device deleted",
    *(f"account: {how}" for how in ("disable", "enabled", "delete", "leave")),
    *(f"bound reached: {name}" for name in ("actors", "dashboards", "senders", "commands")),
    "bound reached: shares",
)
