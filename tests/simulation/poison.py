"""Poison in the database: rows that nobody can work with, and how they are healed (I6).

What depends on such a row waits or is put aside; nothing else may. A schedule stays spoiled until
the checks: everything else must have gone on without it.
"""

from typing import TYPE_CHECKING, Any

import msgspec
import trio

from protocol.device.alarms import CLEARED, Alarm
from protocol.device.commands import QUEUED, Command
from protocol.rest.charts import MINUTE_US
from protocol.schedule.schedules import Schedule
from protocol.webhook.deliveries import PENDING as WAITS
from tests.support.lists import devices_of

if TYPE_CHECKING:
    from tests.simulation.world import World

UNKNOWN_ZONE = "Mars/Olympus"
NO_TEXT = "\ud800"  # cannot be written
NO_SECRET = "whsec_A"  # no base64
LOOKS_AGAIN_S = 0.1
# One more than the failures in a row that ended the process once, and then some.
NOTICES = 12
NOTICES_TOO = (
    *("", "\n", "\u202e", "{}", "x" * 7_999, "00000000-0000-4000-8000-00000000000"),
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-8fff-ffffffffffff"),
)


class Poison:
    """All that is spoiled in a world, and was."""

    def __init__(self, world: "World") -> None:
        self.schedules: dict[str, str] = {}  # ids, and their true zones
        self.commands: dict[str, None] = {}  # ids of those that ever were
        self.devices: dict[str, None] = {}  # "owner/code" of those that ever were
        self.has_spoilt_sums = False
        self._world = world

    async def spoil_schedule(self) -> None:
        """The zone of the next schedule that there is to be planned is not known any more."""
        store = self._world.store
        while not (found := self._planned()):
            await trio.sleep(LOOKS_AGAIN_S)
        chosen = self._world.rng.choice(found)
        self.schedules[chosen.id] = chosen.timezone
        now_us = self._world.clock.peek_us()
        spoiled = msgspec.structs.replace(chosen, timezone=UNKNOWN_ZONE, plan_us=now_us)
        store.change_schedule(spoiled)
        self._world.trace.fault("schedule: unknown zone", chosen.id)

    def _planned(self) -> list[Schedule]:
        found = self._world.store.all_schedules()
        return [s for s in found if s.plan_us is not None and s.id not in self.schedules]

    def heal_schedules(self) -> bool:
        """Their zones are known again; answers whether any was not."""
        store = self._world.store
        for schedule in store.all_schedules():
            if schedule.id in self.schedules:
                zone = self.schedules[schedule.id]
                store.change_schedule(msgspec.structs.replace(schedule, timezone=zone))
        return bool(self.schedules)

    async def spoil_device(self, seconds: float, target: str) -> None:
        """The row of a device cannot be read for a while."""
        world = self._world
        devices = [d for person in world.people for d in await devices_of(world.store, person.id)]
        names = {d.key: f"{world.owner_of(d.id)}/{d.code}" for d in devices}
        found = [key for key, name in names.items() if target in ("", name)]
        if not found:
            return
        key = world.rng.choice(found)
        self.devices[names[key]] = None
        await _keep_bad(world.store_faults.bad_devices, key, seconds)

    async def spoil_command(self, seconds: float) -> None:
        """The payload of the next command that is open cannot be written for a while."""
        known = self._world.store.all_commands
        while not (found := self._queued()):
            await trio.sleep(LOOKS_AGAIN_S)
        chosen = self._world.rng.choice(found)
        self.commands[chosen.id] = None
        known[chosen.key] = msgspec.structs.replace(chosen, payload=NO_TEXT)
        self._world.trace.fault("command: spoiled", chosen.id)
        try:
            await trio.sleep(seconds)
        finally:
            if chosen.key in known:
                whole = msgspec.structs.replace(known[chosen.key], payload=chosen.payload)
                known[chosen.key] = whole

    def _queued(self) -> list[Command]:
        store = self._world.store
        found = [c for c in store.all_commands.values() if c.state == QUEUED]
        return [c for c in found if c.payload != NO_TEXT and not store.is_locked(c.key)]

    async def spoil_secret(self, seconds: float) -> None:
        """The secret of a webhook signs nothing for a while."""
        hooks = self._world.store.all_webhooks
        found = [hook for hook in hooks.values() if hook.secret != NO_SECRET]
        if not found:
            return
        chosen = self._world.rng.choice(found)
        hooks[chosen.num] = msgspec.structs.replace(chosen, secret=NO_SECRET)
        self._world.trace.fault("webhook: spoiled secret")
        try:
            await trio.sleep(seconds)
        finally:
            if chosen.num in hooks:
                hooks[chosen.num] = msgspec.structs.replace(hooks[chosen.num], secret=chosen.secret)

    async def spoil_alarm(self, seconds: float) -> None:
        """The row of the next alarm that is open, or waits, cannot be read for a while; so its
        device can be loaded as little."""
        world, store = self._world, self._world.store
        while not (found := self._uncleared()):
            await trio.sleep(LOOKS_AGAIN_S)
        chosen = world.rng.choice(found)
        device = next(
            d for d in await devices_of(store, chosen.user_id) if d.num == chosen.device_num
        )
        self.devices[f"{world.owner_of(device.id)}/{device.code}"] = None
        store.unreadable_alarms[chosen.id] = 0
        try:
            await trio.sleep(seconds)
        finally:
            if store.unreadable_alarms.pop(chosen.id):
                world.trace.fault("alarm: bad row")

    def _uncleared(self) -> list[Alarm]:
        store = self._world.store
        found = store.all_alarms.values()
        return [a for a in found if a.state != CLEARED and a.id not in store.unreadable_alarms]

    async def spoil_session(self, seconds: float) -> None:
        """The row of a session cannot be read for a while."""
        bad = self._world.store_faults.bad_sessions
        chosen = self._world.rng.choice(list(self._world.store.all_sessions))
        await _keep_bad(bad, chosen, seconds)

    async def spoil_minute(self, seconds: float) -> None:
        """What some feeds have of this minute cannot be summed up for a while."""
        store, rng = self._world.store, self._world.rng
        feeds = [feed for p in self._world.people for feed in await store.feeds(p.id, 1_000, 0)]
        now_us = self._world.clock.peek_us()
        chosen = [(feed.num, now_us - now_us % MINUTE_US) for feed in feeds if rng.random() < 0.5]
        for each in chosen:  # another such fault may be at it, and has counted
            store.unsummable.setdefault(each, 0)
        try:
            await trio.sleep(seconds)
        finally:
            if sum(store.unsummable.pop(each, 0) for each in chosen):
                self.has_spoilt_sums = True
                self._world.trace.fault("rollup: sums fail")

    async def spoil_delivery(self, seconds: float) -> None:
        """The body of the next delivery that waits cannot be written for a while."""
        known = self._world.store.all_deliveries
        while not (found := [d for d in known.values() if d.state == WAITS and d.body != NO_TEXT]):
            await trio.sleep(LOOKS_AGAIN_S)
        chosen = self._world.rng.choice(found)
        known[chosen.id] = msgspec.structs.replace(chosen, body=NO_TEXT)
        self._world.trace.fault("webhook: spoiled delivery")
        try:
            await trio.sleep(seconds)
        finally:
            if chosen.id in known:
                known[chosen.id] = msgspec.structs.replace(known[chosen.id], body=chosen.body)

    def send_notices(self) -> None:
        """Somebody else on the database server sends what is no id, or an id of nobody, or of
        somebody who has not changed."""
        people = [person.id for person in self._world.people]
        for n in range(NOTICES):
            self._world.store.tell_followers(f"junk {n}")
        for notice in (*NOTICES_TOO, *people, *(each.upper() for each in people)):
            self._world.store.tell_followers(notice)
        self._world.trace.fault("database: junk notices")


async def _keep_bad(bad: list[Any], chosen: Any, seconds: float) -> None:
    """It is among those that nobody can read, for so long or until all is well."""
    bad.append(chosen)
    try:
        await trio.sleep(seconds)
    finally:
        if chosen in bad:  # all is well by now
            bad.remove(chosen)
