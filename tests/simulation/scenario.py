"""Carry out a plan in a world: furnish it, live through the plan, let it settle, check."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, assert_never

import msgspec
import trio

from protocol.errors import Unavailable
from tests.simulation import aftermath, checks, crowding, flooding, hoarding, quiet, wording
from tests.simulation.account_model import AccountModel
from tests.simulation.clock import START_US
from tests.simulation.coded import coded
from tests.simulation.email_model import EmailModel
from tests.simulation.extremes import Extremes
from tests.simulation.factor_model import FactorModel
from tests.simulation.faults import ACTS
from tests.simulation.final_checks import final_checks
from tests.simulation.hostile import payload_of
from tests.simulation.orders import Orders
from tests.simulation.person import Refused
from tests.simulation.plan import (
    CROWD_OWNER,
    DEVICES,
    HASTY,
    KEYS,
    LIMIT,
    OWNERS,
    AnyStep,
    Arrange,
    Boot,
    Bring,
    Buy,
    Delete,
    Erase,
    Extreme,
    Fault,
    Flood,
    Hoard,
    Hostile,
    Kill,
    Leave,
    Listen,
    Order,
    Plan,
    Protect,
    Publish,
    Rearrange,
    Report,
    Revoke,
    Shed,
    Stop,
    Tune,
    Vanish,
    Verify,
    Visit,
    Watch,
    Word,
    described,
)
from tests.simulation.process import Gone
from tests.simulation.schedule_model import ScheduleModel
from tests.simulation.screen import Screen
from tests.simulation.sent_log import Entry, SentLog
from tests.simulation.session_model import SessionModel
from tests.simulation.shop import Shop
from tests.simulation.told import Told
from tests.simulation.totals import Totals
from tests.simulation.world import World

STOPS_READING_S = 60.0
COMES_AGAIN_S = 2.0
QUIET_S = 2.0


async def live(world: World, plan: Plan) -> None:
    """From an empty service to the last check.

    Raises:
        Broken: an invariant does not hold.
    """
    life = Scenario(world, plan)
    async with world.open(), trio.open_nursery() as audience:
        life.audience = audience
        await life.furnish()
        for owner in life.owners:
            audience.start_soon(life.told.watch, owner)
        await life.play()
        await life.check()
        await life.orders.check()
        await life.schedule_model.check()
        life.shop.check()
        await life.extremes.check()
        if flooding.floods(plan.steps):
            await life.flooding.check()
        if hoarding.hoards(plan.steps):
            await life.hoarding.check()
        await life.totals.check()
        await life.session_model.check()
        await life.account_model.check()
        await world.receivers.check()
        if plan.bad_row:
            await aftermath.blocks_nobody(world)
        await aftermath.well(world)
        await aftermath.sessions_kept(world)
        if quiet.speaks(plan.steps):
            await quiet.check(world, life.screens)
        await final_checks(world, life.screens)
        await world.listeners.check()
        world.listeners.check_heard()
        await life.told.check()
        audience.cancel_scope.cancel()


class Scenario:
    """One plan in one world."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        self.sent_log = SentLog()
        self.screens: list[Screen] = []
        self.orders = Orders(world)
        self.schedule_model = ScheduleModel(world)
        self.shop = Shop(world)
        self.totals = Totals(world)
        self.session_model = SessionModel(world)
        self.factor_model = FactorModel(world)
        self.account_model = AccountModel(world)
        self.email_model = EmailModel(world)
        self.told = Told(world)
        self.extremes = Extremes(world)
        self.flooding = flooding.Flooding(world)
        self.hoarding = hoarding.Hoarding(world)
        self._newest_s: dict[str, float] = {}  # of each device: when its newest arrival was sent
        self._power = trio.Lock()  # who switches the service off switches it on again
        self.audience: trio.Nursery
        self._faults: trio.Nursery

    @property
    def owners(self) -> tuple[str, ...]:
        return (*OWNERS, CROWD_OWNER) if self.plan.crowd else OWNERS

    @property
    def spoiled(self) -> set[str]:
        """Whose reading the store refuses, where a process ended before its actor judged again."""
        fired = self.world.trace.fired
        if not fired["process killed"] and not fired["process stopped"]:
            return set()
        said = (step for step in self.plan.steps if isinstance(step, Publish))
        return {step.device for step in said if step.number == self.plan.poison}

    async def furnish(self) -> None:
        """People, devices and feeds, before anything goes wrong."""
        for owner, code in DEVICES:
            device = self.world.device(code, owner)
            for key in KEYS:
                await device.feed(key, **_settings(key))
        for name in crowding.names(self.plan.crowd):
            await self._device(name).feed("by-ts")
        for owner in self.owners:
            await self.world.add_media(owner)
            await self.world.receivers.register(owner)
        for owner in OWNERS:
            await self.shop.furnish(owner)
            await self.totals.furnish(owner)
        extremes = [s.device for s in self.plan.steps if isinstance(s, Extreme)]
        await self.extremes.furnish(list(dict.fromkeys(extremes)))
        if quiet.speaks(self.plan.steps):
            await quiet.furnish(self.world)
        if flooding.floods(self.plan.steps):
            await self.flooding.furnish()
        if hoarding.hoards(self.plan.steps):
            await self.hoarding.furnish()
        await self.world.listeners.register(self.plan.listens)
        self.world.store.poison = {self.plan.poison}

    async def play(self) -> None:
        """Every step at its time; then the faults end, and what was begun is done."""
        started_s = trio.current_time()
        async with trio.open_nursery() as faults:
            self._faults = faults
            async with trio.open_nursery() as claims:
                for step in self.plan.steps:
                    await trio.sleep_until(started_s + step.at_s)
                    claims.start_soon(self._do, step, name=f"step {type(step).__name__}")
            self.world.calm()
            faults.cancel_scope.cancel()
        self.world.calm()
        await self.world.serving()
        await self.world.settle()

    async def check(self) -> None:
        await checks.durable_and_once(self.world, self.sent_log, self.owners)
        await checks.ordered(self.world, self.owners)
        await checks.counters(self.world)
        await aftermath.alarmed(self.world, self.owners, self.spoiled)
        await checks.private(self.world, self.owners)
        kept = await checks.Kept.of(self.world, self.owners)
        for screen in self.screens:
            checks.shown(screen, kept)
        checks.first_only(self.world, self.screens, kept)
        await checks.pictures(self.world, self.screens)
        await self.world.listeners.check()
        coded(self.world)

    async def _do(self, step: AnyStep) -> None:
        world = self.world
        world.trace.note("plan", described(step))
        match step:
            case Publish():
                await self._publish(step)
            case Extreme():
                await self.extremes.say(step)
            case Flood():
                await self.flooding.send(step)
            case Hoard():
                await self.hoarding.hoard(step)
            case Shed():
                await self.hoarding.shed(step)
            case Report(device=device, mark=mark, arrivals=arrivals):
                body = wording.report(mark, _ms(step.at_s))
                await self._send(device, "status", body, arrivals)
            case Word(device=device, status=status, retain=retain):
                body = wording.word(status, round(step.at_s * 1000))
                await self._send(device, "status", body, [0.0], retain=retain)
            case Boot():
                await self._boot(step)
            case Vanish():
                await trio.sleep(step.late_s)
                if not world.broker.away and self._device(step.device).vanish() is not None:
                    world.trace.fault("device: vanished, its will sent")
            case Hostile():
                await self._hostile(step)
            case Watch():
                self.audience.start_soon(self._watch, step)
            case Tune():
                await self._tune(step)
            case Delete():
                await self._delete(step)
            case Order():
                await self.orders.order(step)
            case Arrange():
                await self.schedule_model.arrange(step)
            case Rearrange():
                await self.schedule_model.rearrange(step)
            case Buy():
                await self.shop.buy(step)
            case Bring():
                await self.totals.bring(step)
            case Erase():
                await self.totals.erase(step)
            case Listen(after_s=after_s, deaf_s=deaf_s):
                come = partial(world.listeners.come, self.plan.listens, after_s, deaf_s)
                self.audience.start_soon(come, name="listener")
            case Visit():
                await self.session_model.visit(step)
            case Protect():
                await self.factor_model.protect(step)
            case Verify():
                await self.email_model.verify(step)
            case Leave():
                await self.account_model.leave(step)
            case Revoke():
                await self.orders.revoke(step)
            case Fault(kind=kind, seconds=seconds, target=target):
                self._faults.start_soon(ACTS[kind], world, seconds, target, name=f"fault {kind}")
            case Kill() | Stop():
                await self._switch_off(step)
            case _:
                assert_never(step)

    # Devices

    def _device(self, name: str) -> Any:
        owner, _, code = name.partition("/")
        return self.world.device(code, owner)

    async def _send(
        self,
        device: str,
        tail: str,
        body: Any,
        arrivals: list[float],
        *,
        into: list[Any] | None = None,
        qos: int = 1,
        retain: bool = False,
        is_hasty: bool = False,
    ) -> None:
        """The same message at each arrival; the broker's records of it go into a list."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def arrive(after_s: float) -> None:
            await trio.sleep(after_s)
            try:
                sent = await self._device(device).send(
                    tail, payload, qos=qos, retain=retain, is_hasty=is_hasty
                )
            except Unavailable:
                return  # QoS 0, and the broker was away
            if into is not None:
                into.append(sent)

        async with trio.open_nursery() as nursery:
            for after_s in arrivals:
                nursery.start_soon(arrive, after_s)

    async def _publish(self, step: Publish) -> None:
        world = self.world
        owner = step.device.partition("/")[0]
        value = LIMIT + step.number if step.violates else step.number
        ts = _ms(step.at_s - step.age_s)
        tail, key = f"feeds/{step.key}", step.key
        body = wording.reading(step.form, value, step.number, ts)
        if step.form == "several":
            tail = "feeds"
            body, refused = wording.several(step.key, step.number, ts)
        if step.form == "repeat":
            copies = self.sent_log.repeats[step.device]
        else:
            mark = f"{LIMIT + step.number if step.violates else step.number:.0f}"
            has_identity = step.form in ("ts", "id", "several")
            entry = Entry(
                step=step, owner=owner, key=key, mark=mark, copies=[], has_identity=has_identity
            )
            copies = self.sent_log.write(entry).copies
        if step.form == "several":  # a reading of it is to be refused
            other = msgspec.structs.replace(entry, step=_refused(step), key="", mark=refused)
            self.sent_log.write(other)
        if step.fate:
            world.trace.fault(f"device: {step.fate}")
        await self._send(
            step.device,
            tail,
            body,
            step.arrivals,
            into=copies,
            qos=step.qos,
            retain=step.retain,
            is_hasty=step.fate == HASTY,
        )
        newest_s = self._newest_s.get(step.device, 0.0)
        if step.at_s < newest_s:
            world.trace.fault("device: overtaken")
        self._newest_s[step.device] = max(step.at_s, newest_s)

    async def _hostile(self, step: Hostile) -> None:
        tail, payload, is_kept = payload_of(step.shape, step.number)
        entry = Entry(
            step=step,
            owner=step.device.partition("/")[0],
            key="",
            mark=str(step.number),
            copies=[],
            has_identity=False,
        )
        copies = self.sent_log.write(entry).copies if is_kept else []
        self.world.trace.fault("device: hostile payload", step.shape)
        device = f"{entry.owner}/ghost" if step.shape == "nobody's device" else step.device
        await self._send(device, tail, payload, [0.0], into=copies, qos=step.qos)

    async def _boot(self, step: Boot) -> None:
        device = self._device(step.device)
        try:
            # Set at the connect, some with the time of then, some with none.
            ts = {} if step.session % 2 else {"ts": _ms(step.at_s) if step.session % 4 else 0}
            device.connect(status="offline", session=step.session, **ts)
        except Unavailable:
            return
        body = {"status": "online", "session": step.session, "firmware": f"1.{step.session}"}
        await self._send(step.device, "status", body, [0.0])

    # People

    async def _watch(self, step: Watch) -> None:
        world = self.world
        screen = Screen(world, world.person(step.owner), pace_s=step.pace_s, batch=step.batch)
        self.screens.append(screen)
        if step.pace_s > 1:
            world.trace.fault("dashboard: slow")
        with trio.move_on_after(step.lasts_s + (STOPS_READING_S if step.vanishes else 0)):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(screen.watch)
                if step.vanishes:
                    await trio.sleep(step.lasts_s)
                    world.trace.fault("dashboard: vanished")
                    screen.pace_s = 2 * STOPS_READING_S
        screen.has_left = True

    async def _tune(self, step: Tune) -> None:
        device = self._device(step.device)
        body = {"enabled": step.enabled, "max_value": step.max_value}
        path = f"/feeds/{device.feeds['tuned']}"
        self.world.trace.fault("settings changed")
        if step.hangs_up_s is None:
            await device.person.patch(path, body)
            return
        with trio.move_on_after(step.hangs_up_s) as scope:
            try:
                await device.person.once("PATCH", path, body)
            except Gone:
                return
        if scope.cancelled_caught:
            self.world.trace.fault("client hung up")

    async def _delete(self, step: Delete) -> None:
        device = self._device(step.device)
        self.world.trace.fault("device deleted")
        try:
            await device.person.delete(f"/devices/{device.id}?purge={step.purge}".lower())
        except Refused as refused:
            if refused.status != 404:  # an earlier try was done, its answer lost
                raise
        device.forget()
        await trio.sleep(COMES_AGAIN_S)
        for key in KEYS:
            await device.feed(key, **_settings(key))

    # The service

    async def _switch_off(self, step: Kill | Stop) -> None:
        world = self.world
        async with self._power:
            await world.serving()
            process = world.replicas.one_of(step.whom)
            assert process is not None
            if isinstance(step, Kill):
                await _act_after(step.steps, partial(world.kill, process))
                await process.ended.wait()
            else:
                now = trio.Event()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_act_after, step.steps, now.set)
                    await now.wait()
                await world.stop(process)
            await trio.sleep(step.down_s)
            world.start()
            await world.serving()


async def _act_after(steps: int, act: Callable[[], None]) -> None:
    """After so many task steps, or a moment later where the world has become quiet."""
    later = _Later(act, steps)
    trio.lowlevel.add_instrument(later)
    with trio.move_on_after(QUIET_S):
        await later.done.wait()
        return
    later.act()


class _Later(trio.abc.Instrument):
    """Does something after so many task steps from now: between any two awaits."""

    def __init__(self, act: Callable[[], None], steps: int) -> None:
        self.done = trio.Event()
        self._act = act
        self._left = steps

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left < 0:
            self.act()

    def act(self) -> None:
        if self.done.is_set():  # both reasons came in one moment
            return
        trio.lowlevel.remove_instrument(self)
        self._act()
        self.done.set()


def _refused(step: Publish) -> Hostile:
    return Hostile(at_s=step.at_s, device=step.device, shape="one of several", number=step.number)


def _settings(key: str) -> dict[str, Any]:
    if key == "limited":
        return {"max_value": LIMIT, "on_violation": "flag"}
    return {"max_value": LIMIT} if key == "strict" else {}


def _ms(at_s: float) -> int:
    """A device's own clock, which nobody sets: Unix milliseconds."""
    return START_US // 1000 + round(at_s * 1000)
