"""Devices and their logins in the store's twin."""

from collections.abc import Sequence

import msgspec

from actors.adapters.memory.store.feeds import FeedTables
from actors.adapters.memory.store.refusals import RefusalTables
from actors.adapters.memory.store.rules import revised
from actors.adapters.memory.store.schedules import ScheduleTables
from actors.runtime.clock import WallClock
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.records import Device, LoadedDevice, MqttLogin, SharedFeeds
from protocol.rest.bounds import check_room


class DeviceTables(FeedTables, ScheduleTables, RefusalTables):
    """See `actors.ports.store.Store`."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._devices: dict[str, Device] = {}
        self._logins: dict[str, MqttLogin] = {}  # by device id

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        await self._cross()
        by_key = {device.key: device for device in self._devices.values()}
        return [self._loaded(by_key[key]) if key in by_key else None for key in keys]

    def _loaded(self, device: Device) -> LoadedDevice:
        living = [feed for feed in self._feeds.values() if not feed.archived]
        return LoadedDevice(
            device=device,
            feeds=tuple(feed for feed in living if feed.device_id == device.id),
            shared=SharedFeeds(
                msgspec.structs.replace(feed, last_value=None, last_us=None)
                for feed in living
                if feed.device_id is None and feed.user_id == device.user_id
            ),
            alarms=self._open_alarms(device.num),
        )

    async def snapshot(
        self, user_id: str, after: int, limit: int
    ) -> tuple[list[Device], int | None]:
        await self._cross()
        page = self._after(user_id, after)[:limit]
        good = self._all_readable("devices", user_id, page)
        return good, page[-1].num if len(page) == limit else None

    def _after(self, user_id: str, after: int) -> list[Device]:
        mine = [each for each in self._devices.values() if each.user_id == user_id]
        return [device for device in mine if device.num > after]

    async def add_device(self, device: Device, login: MqttLogin) -> Device:
        (added,) = await self.add_devices([(device, login)])
        return added

    def _insert_device(self, device: Device, login: MqttLogin) -> Device:
        device = msgspec.structs.replace(device, num=self._next("device"))
        self._devices[device.id] = device
        self._logins[device.id] = login
        self.owners[device.id] = device.user_id
        return device

    async def add_devices(
        self, made: Sequence[tuple[Device, MqttLogin]], most: int | None = None
    ) -> list[Device]:
        await self._cross()
        if made:
            mine = [d for d in self._devices.values() if d.user_id == made[0][0].user_id]
            check_room("devices_full", len(mine), len(made), most)
        taken = {device.key for device in self._devices.values()}
        for device, _ in made:
            if device.key in taken:
                raise Conflict(Detail("device_exists", device=device.code))
            taken.add(device.key)
        added = [self._insert_device(device, login) for device, login in made]
        for user_id in dict.fromkeys(device.user_id for device in added):
            self._notify_settings(user_id)
        return added

    async def devices(self, user_id: str, limit: int, after: int) -> list[Device]:
        await self._cross()
        return self._all_readable("devices", user_id, self._after(user_id, after)[:limit])

    async def device(self, user_id: str, device_id: str) -> Device | None:
        await self._cross()
        found: Device | None = self._one("devices", self._devices.get(device_id), user_id)
        return found

    async def update_device(self, device: Device, known: int | None = None) -> None:
        await self._cross()
        current = self._devices.get(device.id)
        if current is not None:
            revision = revised(current.revision, known)
            self._devices[device.id] = msgspec.structs.replace(
                device, state=current.state, revision=revision
            )
            self._notify_settings(device.user_id)

    async def delete_device(self, user_id: str, device_id: str, purge: bool) -> None:
        await self._cross()
        device = self._devices.get(device_id)
        if device is None or device.user_id != user_id:
            return
        for feed in [each for each in self._feeds.values() if each.device_id == device_id]:
            if purge:
                self._drop_feed(feed)
            else:
                self._feeds[feed.id] = msgspec.structs.replace(
                    feed, device_id=None, archived=True, enabled=False
                )
        self._drop_device(device)
        self._notify_settings(user_id)

    def _drop_device(self, device: Device) -> None:
        self._drop_alarms(device_num=device.num)
        self._drop_commands(device.num)
        self._drop_schedules(device.id)
        del self._devices[device.id]
        del self._logins[device.id]
        self._not_kept.pop(device.key, None)

    async def set_login(self, device_id: str, login: MqttLogin) -> None:
        await self._cross()
        if device_id not in self._devices:
            return
        self._logins[device_id] = login
        self._devices[device_id] = msgspec.structs.replace(
            self._devices[device_id], client_id=login.client_id
        )

    async def logins(self, usernames: Sequence[str]) -> dict[str, MqttLogin]:
        await self._cross()
        wanted = set(usernames)
        return {
            each.username: each
            for each in self._logins.values()
            if each.username in wanted and not self._is_disabled(each.user_id)
        }

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        await self._cross()
        known = {each.username for each in self._logins.values()}
        known.update(each.username for each in self._listeners.values())
        return known.intersection(usernames)
