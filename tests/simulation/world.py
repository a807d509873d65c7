"""A whole installation on virtual time: devices, broker, service, database, dashboards.

    async def test_a_reading_survives(world: World) -> None:
        shed = world.device("shed")
        await shed.publish("temperature", 21.5)
        await world.restart()
        assert await shed.values("temperature") == [21.5]

Store, broker, devices and dashboards outlive the service, which may be killed at any await and
started again. The rules of determinism are in `docs/testing.md`.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.habits import MOSQUITTO_5, MOSQUITTO_311, NATS, Habits
from actors.adapters.memory.broker.line import no_latency
from actors.adapters.memory.clocks import MemoryMachine, SeededIds
from actors.adapters.memory.store.line import WORK_S, LineCrash, StoreFaults
from actors.adapters.memory.store.media import MemoryFiles
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.mqtt.plans import partition_plans, plain_plans
from actors.ingest.rates import RateSettings
from actors.ports.broker import Delivery
from actors.pulse import Pulse
from actors.service import Service
from protocol.errors import Unreadable
from protocol.media.media import Media
from tests.simulation import checks, crowding, faults
from tests.simulation.broken import Broken
from tests.simulation.clock import VirtualClock
from tests.simulation.command_listener import CommandListener, Reaction
from tests.simulation.device import VirtualDevice
from tests.simulation.doors import Doors
from tests.simulation.email_model import Mailbox
from tests.simulation.listeners import Listeners
from tests.simulation.person import Person
from tests.simulation.poison import Poison
from tests.simulation.process import LOOK_AGAIN_S, LOOK_AT_OTHERS_S, Process
from tests.simulation.receiver import Answer, Receivers
from tests.simulation.replicas import Replicas
from tests.simulation.screen import Screen
from tests.simulation.trace import LogsOfWorld, Trace
from web.http.bounds import Bounds

BROKERS = {"nats": NATS, "mosquitto 5": MOSQUITTO_5, "mosquitto 3.1.1": MOSQUITTO_311}
SETTLE_S = 15.0
SETTLE_MAX_S = 1800.0
TRIES_AGAIN_S = 10.0  # after a call to the store that failed
# A service that is alone takes the lead at once; one that may have rivals waits for the lease of
# the one before. Fewer canaries than in life: each costs as much as a reading. No multiple of their
# pause is one of SETTLE_S, so whoever looks whether all is calm meets none on its way.
RETAINED_S = 23.9  # so many looks as in life would be half of all that happens
ALONE = Pulse(beat_s=10.0, canary_s=67.3, retained_s=RETAINED_S, is_alone=True)
IN_TURN = Pulse(beat_s=2.0, canary_s=67.3, retained_s=RETAINED_S)
# Log events of level error that injected faults lead to.
EXPECTED = ("message set aside", "actor given up", "unit cannot be stored", "request failed")


class ActorCrash(Exception):
    """An actor's step fails because the world says so."""


# Errors that the world puts there, and what comes of a text that cannot be written.
INJECTED = (ActorCrash, LineCrash, Unreadable, UnicodeEncodeError)


class _Crash:
    """A crash that waits for its victim."""

    def __init__(self, target: str, times: int) -> None:
        self.target = target
        self.left = times
        self.first = True
        self.actor = ""


class World:
    """One world from one seed. `async with world.open():` makes it live.

    Args:
        seed: of everything that the world itself chooses.
        habits: of its broker.
        idle_s: after how much idleness a device actor is passivated.
        reactions: how devices take commands, one after the other, again and again.
        answers: what receivers of webhooks answer, likewise.
        many: processes on one store and one broker.
    """

    def __init__(
        self,
        seed: int,
        habits: Habits = NATS,
        idle_s: float = 20.0,
        reactions: list[Reaction] | None = None,
        answers: list[Answer] | None = None,
        *,
        many: int = 1,
    ) -> None:
        self.seed = seed
        self.idle_s = idle_s
        self.look_again_s = LOOK_AGAIN_S if many == 1 else LOOK_AT_OTHERS_S
        self.pulse = IN_TURN if seed % 2 or many > 1 else ALONE
        self.rates = RateSettings()  # of processes that start from now on
        self.bounds = Bounds()  # likewise
        self.mailbox: Mailbox | None = None  # likewise: no mail is set up
        self.rng = random.Random(seed)
        self.trace = Trace()
        self.doors = Doors(self.trace.fault)
        self.logs = LogsOfWorld(self.trace, EXPECTED, INJECTED)
        self.clock = VirtualClock()
        self.ids = SeededIds(random.Random(seed + 1))
        self.store = MemoryStore(VirtualClock())  # a server with a clock of its own, never set
        self.files = MemoryFiles()  # a disk: it outlives every process
        self.machine = MemoryMachine()
        self.store_faults = StoreFaults(self.trace.fault)
        self.poison = Poison(self)
        plans = partition_plans(habits.partitions) if habits.partitions else plain_plans()
        self.broker = MemoryBroker(plans, habits, random.Random(seed + 3))
        self.many = many
        self.replicas = Replicas(self)
        self._nursery: trio.Nursery | None = None
        self._people: dict[str, Person] = {}
        self._devices: dict[tuple[str, str], VirtualDevice] = {}
        self.first_deliveries: dict[bytes, list[int]] = {}  # by payload: when (µs, wall clock)
        self.media: dict[str, str] = {}  # ids by owner
        self.command_listener = CommandListener(self, reactions or [])
        self.listeners = Listeners(self)
        self.broker.on_sent = self._sent
        self.receivers = Receivers(self, answers or [])
        self._crashes: list[_Crash] = []
        self._broken: Broken | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["World"]:
        """Start the service; at the end it is stopped in order.

        Raises:
            Broken: something happened that no fault explains.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = self.command_listener.nursery = nursery
            for _ in range(self.many):
                self.start()
            await self.serving()
            yield self
            for process in list(self.replicas.living):
                if not process.is_dead:
                    await self.stop(process)
            nursery.cancel_scope.cancel()
        if self._broken is not None:
            raise self._broken
        if self.logs.unexpected:
            raise Broken("I6", f"unexpected in the log: {self.logs.unexpected[:3]}")

    # The service

    def start(self) -> Process:
        """A new process; it serves a moment later, or stands by."""
        assert self._nursery is not None
        return self.replicas.start(self._nursery)

    async def serving(self) -> Process:
        """The process that serves; waits for the next one where there is none."""
        return await self.replicas.serving()

    @property
    def service(self) -> Service:
        """The service of the process that serves."""
        process = self.replicas.leader()
        assert process is not None
        return process.service

    async def stop(self, process: Process | None = None) -> None:
        """SIGTERM to the process that serves, or to this one, and its end."""
        process = process or await self.serving()
        await process.serving.wait()
        self.trace.fault("process stopped")
        taken = checks.Taken(self, process.service)
        if taken.messages:
            self.trace.fault("process stopped, something in flight")
        await process.stop()
        try:
            taken.check_drained()
        except Broken as error:
            self._broken = self._broken or error

    def kill(self, process: Process | None = None) -> None:
        """`kill -9`, wherever the process is: the one that serves, or this one."""
        process = process or self.replicas.one_of("leader")
        if process is None or process.is_dead:
            return
        if process.serving.is_set() and process.service.gateway.room.messages:
            self.trace.fault("process killed, something in flight")
        self.trace.fault("process killed")
        process.kill()

    async def restart(self, down_s: float = 1.0) -> None:
        """Kill the process and start the next one."""
        self.kill()
        await trio.sleep(down_s)
        self.start()
        await self.serving()

    # Who is there

    def person(self, name: str = "ada") -> Person:
        """A user; signs up with the first call."""
        return self._people.setdefault(name, Person(self, name))

    def forget(self, person: Person) -> None:
        """Her account was deleted: she is nobody's stranger any more."""
        del self._people[person.name]

    def device(self, code: str, owner: str = "ada") -> VirtualDevice:
        """A device of a person; it is registered with the first thing that it does."""
        key = owner, code
        if key not in self._devices:
            self._devices[key] = VirtualDevice(self, self.person(owner), code)
        return self._devices[key]

    async def add_media(self, owner: str = "ada") -> str:
        """A picture in a person's library, put there without its bytes; answers with its id."""
        if owner not in self.media:
            person = await self.person(owner).sign_up()
            media = Media(
                num=0,
                id=self.ids.uuid(),
                user_id=person.id,
                filename="picture.png",
                content_type="image/png",
                size=3,
                sha256=owner.encode().ljust(32, b"."),
                created_us=self.clock.peek_us(),
            )
            self.media[owner] = (await self.store.add_media(media)).id
            self.trace.name(self.media[owner], f"media of {owner}")
        return self.media[owner]

    @asynccontextmanager
    async def dashboard(
        self, owner: str = "ada", *, pace_s: float = 0.0, batch: bool = False
    ) -> AsyncIterator[Screen]:
        """A connected dashboard of a person, with its first device list."""
        person = await self.person(owner).sign_up()
        screen = Screen(self, person, pace_s=pace_s, batch=batch)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(screen.watch)
            await screen.until(lambda: screen.is_listed)
            yield screen
            nursery.cancel_scope.cancel()

    @property
    def people(self) -> list[Person]:
        return list(self._people.values())

    def owner_of(self, identity: str) -> str:
        """The name of the person to whom a device or feed belongs, or ever did."""
        user_id = self.store.owners.get(identity, "")
        return next((p.name for p in self._people.values() if p.id == user_id), user_id)

    # What happens to them

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        await trio.sleep(seconds)

    def fault(self, kind: str, *, seconds: float = 0.0, target: str = "") -> None:
        """Begin a fault of `faults.ACTS`; one that lasts ends by itself."""
        assert self._nursery is not None
        self._nursery.start_soon(faults.ACTS[kind], self, seconds, target, name=f"fault {kind}")

    def crash(self, kind: str, name: str = "", times: int = 1) -> None:
        """Crash the next step of an actor: `crash("device", "shed")`, `crash("user", "ada")`.

        With `times=2` the same message kills it again, and is set aside.
        """
        self.crash_next(f"{kind} {name}".rstrip(), times)

    def crash_next(self, target: str, times: int) -> None:
        self._crashes.append(_Crash(target, times))

    def calm(self) -> None:
        """All faults end, those too that wait for their moment; the clock stays ahead."""
        self.store_faults.stop()
        self.machine.takes = True
        self.broker.away, self.broker.latency = False, no_latency
        self._crashes.clear()
        if behind_s := self.clock.furthest_s - self.clock.offset_s:
            self.clock.jump(behind_s)

    @property
    def is_calm(self) -> bool:
        """Whether no fault of a server, a line or an actor is at work, or waits for its moment,
        that may hold things up for seconds. A slow line to the broker is none."""
        store, broker = self.store_faults, self.broker
        slow = store.latency is not no_latency or store.work_s > WORK_S
        stalled = any(session.is_stalled for session in broker.sessions.values())
        waiting = store.commits or store.crashes or self._crashes
        if not self.replicas.is_calm or store.lead_late_s or store.lead_answers:
            return False
        if trio.current_time() < store.calls.last_s + TRIES_AGAIN_S:
            return False
        if self.poison.devices:  # whose actors pause, for a while after they are healed, too
            return False
        if not self.machine.takes:
            return False
        return not (store.away or broker.away or slow or stalled or waiting)

    async def settle(self) -> None:
        """Wait until nothing is on its way any more.

        Raises:
            Broken: something waits for ever.
        """
        started_s = trio.current_time()
        while True:
            await trio.sleep(SETTLE_S)
            if self._broken is not None:
                raise self._broken
            process = await self.serving()
            room, sessions = process.service.gateway.room, process.service.own_sessions
            calm = sessions.connected_count == len(sessions.redeliveries)
            if calm and not self.broker.waiting and not room.messages:
                return
            if trio.current_time() > started_s + SETTLE_MAX_S:
                waiting = {k: s.waiting for k, s in self.broker.sessions.items() if s.waiting}
                raise Broken("I1", f"does not settle: {waiting}, in flight {room.messages}")

    # What is seen of every delivery, of every publication, and of every step

    def _sent(self, topic: str, payload: bytes) -> None:
        """What the service publishes."""
        self.listeners.arrived(topic, payload)
        self.command_listener.arrived(topic, payload)

    def on_publish(self, topic: str, payload: bytes) -> None:
        try:
            self.command_listener.published(topic, payload)
        except Broken as error:
            self._broken = self._broken or error

    def break_with(self, invariant: str, what: str) -> None:
        """Something is wrong where an exception would only be one more failure."""
        self._broken = self._broken or Broken(invariant, what)

    def on_delivery(self, delivery: Delivery) -> None:
        """Keep when a payload was delivered for the first time, as far as the broker says."""
        if not delivery.dup and not delivery.retain:
            self.first_deliveries.setdefault(delivery.payload, []).append(self.clock.now_us())

    def on_step(self, service: Service, name: str, message: Any) -> None:
        self.trace.note(name, summary(message))
        try:
            checks.bounds(self, service)
            crowding.bounds(self, service)
        except Broken as error:  # inside an actor it would only be one more failure of that actor
            self._broken = self._broken or error
        named = self._readable(name)
        for crash in self._crashes:
            if crash.actor in ("", name) and (crash.actor or _is_meant(named, crash.target)):
                crash.actor = name
                crash.left -= 1
                kind = "actor crash" if crash.first else "actor crash, same message again"
                crash.first = False
                if not crash.left:
                    self._crashes.remove(crash)
                self.trace.fault(kind, name)
                raise ActorCrash(name)

    def _readable(self, actor: str) -> str:
        """`device 1f…/shed` as `device shed`, `user 1f…` as `user ada`."""
        kind, _, rest = actor.partition(" ")
        user_id, _, code = rest.partition("/")
        known = [person.name for person in self._people.values() if person.id == user_id]
        return f"{kind} {code or (known[0] if known else user_id)}"


def _is_meant(actor: str, target: str) -> bool:
    """Whether a target names this actor, its kind, or nobody in particular."""
    return target in ("", actor, actor.partition(" ")[0])


def summary(message: Any) -> str:
    """A message to an actor in one line."""
    kind = type(message).__name__
    origin = getattr(message, "origin", None)
    if origin is not None:
        tail = origin.raw_topic.split("/devices/", 1)[-1].partition("/")[2]
        flags = ("again " if origin.again else "") + ("retained " if origin.retained else "")
        return f"{kind} {flags}{tail} {origin.payload[:60].decode('utf-8', 'replace')!r}"
    event = getattr(message, "event", None)
    return f"{kind} {type(event).__name__}" if event is not None else kind
