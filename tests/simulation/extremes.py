"""Readings at the edge of float64: what fits is stored to the bit, what does not is refused (I1).

Their feed has an alarm that waits: once all is quiet, the newest of them says whether it is open.
"""

import json
from typing import TYPE_CHECKING, Any

import msgspec

from actors.adapters.memory.broker.published import Published
from protocol.device.alarms import PENDING
from protocol.errors import Unavailable
from protocol.records import Feed
from protocol.rest.listing import REJECTIONS
from tests.simulation.broken import Broken
from tests.simulation.clock import START_US
from tests.simulation.plan import EDGE, Extreme
from tests.support.lists import items

if TYPE_CHECKING:
    from tests.simulation.world import World

TOP = 1e308
SETTINGS: dict[str, Any] = {
    "max_value": TOP,
    "min_value": -TOP,
    "on_violation": "flag",
    "alarm": {"after_s": 8},
}
FITS = (
    *("1.7e308", "-1.7e308", "1.7976931348623157e308", "-1.7976931348623157e308", '"1.7e308"'),
    *("5e-324", "-5e-324", "2.2250738585072014e-308", "1e-400", "-0.0", '"5e-324"'),
    *("9007199254740993", "1", "-1e307", '"-1e307 "'),
)
FITS_NOT = (
    *("1e309", "-1e309", "1.7976931348623159e308", '"1e309"', '"-1e9999"', "NaN", "-Infinity"),
    *("1" + 400 * "0", '"1' + 400 * "0" + '"', "[1e308]", "-inf", '"0x1p1023"'),
)
# What explains that a reading which fits was refused, by the reason of its refusal.
EXCUSES = {
    "internal_error": ("actor crash, same message again", "device: bad row", "alarm: bad row"),
    "bad_time": ("clock back",),
}


class Said(msgspec.Struct, kw_only=True):
    """One of them, and every copy of its message that the broker took."""

    step: Extreme
    owner: str
    ts_us: int
    copies: list[Published]

    @property
    def value(self) -> float | None:
        return float(json.loads(self.step.said)) + 0.0 if self.step.said in FITS else None

    @property
    def is_owed(self) -> bool:
        return any(not copy.lost for copy in self.copies)


class Extremes:
    """Whoever says such things, and the book of them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._said: dict[str, list[Said]] = {}  # by device

    async def furnish(self, devices: list[str]) -> None:
        for name in devices:
            owner, _, code = name.partition("/")
            await self._world.device(code, owner).feed(EDGE, **SETTINGS)
            self._said[name] = []

    async def say(self, step: Extreme) -> None:
        owner, _, code = step.device.partition("/")
        ts_us = START_US + round(step.at_s * 1000) * 1000
        said = Said(step=step, owner=owner, ts_us=ts_us, copies=[])
        self._said[step.device].append(said)
        payload = f'{{"id": "m{step.number}", "ts": {ts_us // 1000}, "value": {step.said}}}'
        device = self._world.device(code, owner)
        self._world.trace.fault("device: edge of float64", step.said[:24])
        for _ in range(2 if step.twice else 1):
            try:
                said.copies.append(await device.send(f"feeds/{EDGE}", payload.encode()))
            except Unavailable:
                return

    async def check(self) -> None:
        for name, said in self._said.items():
            owner, _, code = name.partition("/")
            feed = await self._world.store.feed(
                self._world.person(owner).id, self._world.device(code, owner).feeds[EDGE]
            )
            assert feed is not None
            refused = await self._refused(owner)
            missing = sum(self._check(each, feed, refused) for each in said)
            counted = await self._world.store.not_kept(self._world.person(owner).id, code)
            if missing > counted.many:
                raise Broken(
                    "I1",
                    f"{name}: {missing} acknowledged, and neither stored nor refused;"
                    f" {counted.many} counted",
                )
            self._check_nothing_else(said, feed)
            self._check_alarm(feed)

    async def _refused(self, owner: str) -> dict[str, str]:
        """Reasons by the id in the payload."""
        user_id = self._world.person(owner).id
        found = await items(self._world.store, REJECTIONS, user_id, 1_000_000)
        mine = [each for each in found if each.topic.endswith(f"/feeds/{EDGE}")]
        return {each.payload.split('"')[3]: each.reason for each in mine}

    def _check(self, said: Said, feed: Feed, refused: dict[str, str]) -> bool:
        """Whether it is nowhere, and may have been refused and counted only."""
        stored = [r for r in self._stored(feed) if r[0] == said.ts_us]
        reason = refused.get(f"m{said.step.number}")
        if len(stored) > 1:
            raise Broken("I2", f"stored {len(stored)} times: {said.step}")
        if stored:
            if said.value is None or repr(stored[0][1]) != repr(said.value):
                raise Broken("I1", f"stored as {stored[0][1]!r}: {said.step}")
        elif said.is_owed and reason is None:
            if said.value is not None and not any(map(self._is_excused, EXCUSES)):
                raise Broken("I1", f"acknowledged, and neither stored nor refused: {said.step}")
            return True
        elif said.value is not None and reason is not None and not self._is_excused(reason):
            raise Broken("I1", f"refused as {reason}: {said.step}")
        return False

    def _is_excused(self, reason: str) -> bool:
        return any(self._world.trace.fired[kind] for kind in EXCUSES.get(reason, ()))

    def _stored(self, feed: Feed) -> list[tuple[int, Any]]:
        return [(r.ts_us, r.value) for r in self._world.store.all_readings(feed.num)]

    def _check_nothing_else(self, said: list[Said], feed: Feed) -> None:
        times = {each.ts_us for each in said}
        extra = [each for each in self._stored(feed) if each[0] not in times]
        if extra:
            raise Broken("I8", f"nobody said {extra[:3]}")

    def _check_alarm(self, feed: Feed) -> None:
        """It is open where the newest reading is outside, and has waited by now."""
        stored = self._stored(feed)
        alarms = [a for a in self._world.store.all_alarms.values() if a.feed_num == feed.num]
        waiting = [a for a in alarms if a.state == PENDING]
        if waiting:
            raise Broken("I7", f"an alarm waits for ever: {waiting[0]}")
        is_outside = bool(stored) and abs(max(stored)[1]) > TOP
        if is_outside != any(a.is_open for a in alarms):
            raise Broken("I3", f"the newest is {max(stored)}, alarms are {alarms}")
