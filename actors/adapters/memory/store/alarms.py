"""Alarms in the store's twin."""

from collections.abc import Sequence

import msgspec

from actors.adapters.memory.store.webhooks import WebhookTables
from actors.ports.time import WaitingAlarms
from actors.runtime.clock import WallClock
from protocol.dead_letters import DEVICES
from protocol.device.alarms import (
    ACKNOWLEDGED,
    ACTIVE,
    CLEARED,
    DROPPED,
    PENDING,
    Alarm,
    acknowledge,
)
from protocol.errors import Unreadable
from protocol.records import OFFLINE, Device, Feed


class AlarmTables(WebhookTables):
    """See `actors.ports.time.AlarmStore`.

    Attributes:
        all_alarms: every alarm by its id, including pending ones.
        unreadable_alarms: ids of those whose rows cannot be read, and how often that was tried.
    """

    _devices: dict[str, Device]
    _feeds: dict[str, Feed]
    unreadable: dict[tuple[str, int], str]

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_alarms: dict[str, Alarm] = {}
        self.unreadable_alarms: dict[str, int] = {}

    def _keep_alarms(self, changes: Sequence[Alarm]) -> bool:
        """Store alarms as they are after a batch: of each the last state counts, cleared ones
        first.

        Returns whether webhooks get any event.
        """
        last = {change.id: change for change in changes}
        kept = set()
        for change in sorted(last.values(), key=lambda a: a.cleared_us is None):
            known = self.all_alarms.get(change.id)
            if change.state == DROPPED:
                if known is not None and known.state == PENDING:
                    del self.all_alarms[change.id]
            elif self._has_place(change):
                kept.add((change.id, self._keep_alarm(change, known)))
        told = [a for a in changes if (a.id, last[a.id].state) in kept]
        return self._announce(0, alarms=told)

    def _keep_alarm(self, change: Alarm, known: Alarm | None) -> str:
        """Returns its state afterwards."""
        if known is None:
            change = msgspec.structs.replace(change, num=self._next("alarm"))
        else:
            state = change.state
            if known.state == ACKNOWLEDGED and state == ACTIVE:
                state = ACKNOWLEDGED
            change = msgspec.structs.replace(
                change, num=known.num, state=state, acknowledged_us=known.acknowledged_us
            )
        self.all_alarms[change.id] = change
        return change.state

    def _has_place(self, change: Alarm) -> bool:
        """Its device and feed exist, and no other alarm of their kind is open."""
        feeds = {feed.num for feed in self._feeds.values()}
        if all(device.num != change.device_num for device in self._devices.values()):
            return False
        if change.feed_num is not None and change.feed_num not in feeds:
            return False
        return change.state == CLEARED or not any(
            other.id != change.id and other.state != CLEARED and _place(other) == _place(change)
            for other in self.all_alarms.values()
        )

    def _open_alarms(self, device_num: int) -> tuple[Alarm, ...]:
        """Raises `Unreadable` if one of them cannot be read."""
        mine = [a for a in self.all_alarms.values() if a.device_num == device_num]
        return tuple(self._read_alarm(alarm) for alarm in mine if alarm.state != CLEARED)

    def _read_alarm(self, alarm: Alarm) -> Alarm:
        if alarm.id in self.unreadable_alarms:
            self.unreadable_alarms[alarm.id] += 1
            raise Unreadable(f"the alarm {alarm.id} cannot be read")
        return alarm

    def _drop_alarms(self, *, device_num: int | None = None, feed_num: int | None = None) -> None:
        """The device, or the feed, is deleted."""
        for alarm in list(self.all_alarms.values()):
            of_feed = feed_num is not None and alarm.feed_num == feed_num
            if alarm.device_num == device_num or of_feed:
                del self.all_alarms[alarm.id]

    async def acknowledge_alarms(
        self, user_id: str, alarm_ids: Sequence[str], now_us: int
    ) -> list[Alarm]:
        await self._cross()
        found = [self.all_alarms[each] for each in set(alarm_ids) if each in self.all_alarms]
        mine = [a for a in found if a.user_id == user_id and a.state != PENDING]
        known = [self._read_alarm(alarm) for alarm in sorted(mine, key=lambda a: a.num)]
        after = [acknowledge(alarm, now_us) for alarm in known]
        self.all_alarms.update({alarm.id: alarm for alarm in after})
        self._announce(now_us, alarms=[a for a in after if a not in known])
        return after

    async def pending_alarms(self, limit: int, after: int) -> WaitingAlarms:
        await self._cross()
        pending = [a for a in self.all_alarms.values() if a.state == PENDING and a.num > after]
        page = sorted(pending, key=lambda a: a.num)[:limit]
        found = []
        for alarm in page:
            feed = self._feeds.get(alarm.feed_id or "")
            if feed is not None and feed.alarm.after_s:
                device = self._devices[alarm.device_id]
                try:
                    found.append((device.key, self._read_alarm(alarm), feed.alarm.after_s))
                except Unreadable as error:
                    subject = "/".join(device.key)
                    self._hold(DEVICES, subject, error, self._clock.now_us(), alarm.user_id)
        last = page[-1].num if len(page) == limit else None
        return WaitingAlarms(alarms=tuple(found), after=last)

    async def online_devices(self) -> list[Device]:
        await self._cross()
        online = []
        for device in self._devices.values():
            if device.state.status == OFFLINE:
                continue
            reason = self.unreadable.get(("devices", device.num))
            if reason is None:
                online.append(device)
            else:
                subject, now_us = "/".join(device.key), self._clock.now_us()
                self._hold(DEVICES, subject, Unreadable(reason), now_us, device.user_id)
        return online


def _place(alarm: Alarm) -> tuple[int, int | None, str]:
    return alarm.device_num, alarm.feed_num, alarm.kind
