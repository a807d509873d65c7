"""Changes that people make, and everybody who must be informed.

    await service.changes.change_device(device)

Each method makes its change in the store and informs everybody who is concerned. When it returns,
living device actors use the new settings. Dashboards and MQTT listeners are told; leases, sessions
at the broker and due work are updated. If the store's answer is lost, actors read their settings
again (`Devices.changing`).

Methods raise what the store raises: `Outdated` if the record has another revision by now.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import msgspec
import structlog

from actors.access.session_sweep import SessionSweep
from actors.access.sessions import Sessions
from actors.device.registry import Devices
from actors.device.timer import DeviceTimer
from actors.due.scheduler import Scheduler
from actors.ingest.retained_copies import RetainedCopies
from actors.ingest.writer import Writer
from actors.ports.logins import Logins
from actors.ports.people import AccountChange
from actors.ports.store import Store
from actors.user.mqtt_relay import MqttRelay
from actors.user.registry import Users
from protocol.device.alarms import Alarm
from protocol.device.listeners import Listener
from protocol.errors import Unavailable, in_words
from protocol.events import (
    AlarmChanged,
    DeviceChanged,
    DeviceRemoved,
    OccurrenceChanged,
    ScheduleChanged,
)
from protocol.people.access import OwnSecrets
from protocol.people.people import AuditEntry
from protocol.records import Device, Feed, MqttLogin
from protocol.schedule.schedules import Schedule
from protocol.webhook.deliveries import News, Webhook, WebhookDelivery

log = structlog.get_logger("roost.changes")

# Around a step that may take long, such as deleting a history.
Turn = AbstractAsyncContextManager[None]


class Changes:
    """Knows whom a change concerns."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        logins: Logins,
        *,
        devices: Devices,
        users: Users,
        mqtt_relay: MqttRelay,
        sessions: Sessions,
        session_sweep: SessionSweep,
        scheduler: Scheduler,
        device_timer: DeviceTimer,
        retained: RetainedCopies,
    ) -> None:
        self._store = store
        self._writer = writer
        self._logins = logins
        self._devices = devices
        self._users = users
        self._mqtt_relay = mqtt_relay
        self._sessions = sessions
        self._session_sweep = session_sweep
        self._scheduler = scheduler
        self._device_timer = device_timer
        self._retained = retained

    # Devices

    async def add_devices(
        self, user_id: str, wanted: Sequence[tuple[Device, MqttLogin]], most: int
    ) -> Sequence[Device]:
        """Add all or none."""
        # A device may have published with this code before: the slot may hold UnknownDevice.
        codes = [device.code for device, _ in wanted]
        async with self._devices.changing(user_id, codes=codes):
            added = await self._store.add_devices(wanted, most)
        for device in added:
            self._users.tell(user_id, DeviceChanged(device))
        self._mqtt_relay.changed(user_id)
        return added

    async def change_device(self, device: Device) -> None:
        async with self._devices.changing(device.user_id, codes=[device.code]):
            await self._store.update_device(device, device.revision)
            self._device_timer.leases.resize(device.key, device.offline_after_s)
        self._users.tell(device.user_id, DeviceChanged(device))
        self._mqtt_relay.changed(device.user_id)

    async def delete_device(self, device: Device, *, purge: bool, turn: Turn) -> None:
        # Its earlier messages are committed before its history may be deleted.
        await self._writer.barrier()
        async with turn, self._devices.changing(device.user_id, codes=[device.code]):
            await self._store.delete_device(device.user_id, device.id, purge)
            self._device_timer.leases.end(device.key)
            await self._session_sweep.device_deleted(device.client_id)
        self._users.tell(device.user_id, DeviceRemoved(device.id))
        self._mqtt_relay.device_deleted(device.user_id, device.code)
        self._retained.gone(device.user_id, device.code)

    async def set_login(self, device: Device, login: MqttLogin) -> None:
        """Its old login becomes invalid, and connections that use it are closed."""
        await self._store.set_login(device.id, login)
        try:
            await self._logins.disconnect(device.client_id)
        except Unavailable as error:
            log.warning("device not disconnected", device=device.id, error=in_words(error))

    # Feeds

    async def add_feed(
        self, feed: Feed, device_code: str | None, most: int, most_of_device: int
    ) -> Feed:
        codes = [] if device_code is None else [device_code]
        async with self._devices.changing(feed.user_id, codes=codes, feed=feed):
            feed = await self._store.add_feed(feed, most, most_of_device)
        self._mqtt_relay.changed(feed.user_id)
        return feed

    async def change_feed(self, feed: Feed) -> None:
        async with self._devices.changing(feed.user_id, feed=feed):
            await self._store.update_feed(feed, feed.revision)
        self._mqtt_relay.changed(feed.user_id)

    async def delete_feed(self, feed: Feed, turn: Turn) -> None:
        """First no actor takes readings for it any more, then what was taken is committed, then it
        is deleted."""
        async with self._devices.changing(feed.user_id, feed=feed):
            await self._store.update_feed(msgspec.structs.replace(feed, enabled=False))
        await self._writer.barrier()
        async with turn, self._devices.changing(feed.user_id, feed=feed):
            await self._store.delete_feed(feed.user_id, feed.id)
        self._mqtt_relay.changed(feed.user_id)

    def change_history(self) -> None:
        """Readings were added or deleted by hand: roll-ups are computed again."""
        self._scheduler.due("rollups", self._scheduler.rolling.wanted_us())

    # Accounts

    async def change_account(self, change: AccountChange) -> OwnSecrets:
        """See `PeopleStore.update_user`. What was revoked is disconnected."""
        secrets = await self._store.update_user(change)
        user_id = change.user.id
        self._sessions.changed(user_id, signed_out=change.sign_out)
        if change.revoke:
            for key_id in secrets.key_ids:
                self._sessions.invalidate(key_id)
            if secrets.listener is not None:
                self._mqtt_relay.changed(user_id)
                await self._session_sweep.listener_deleted(secrets.listener)
        return secrets

    async def disable_account(
        self, user_id: str, now_us: int, *, erase: bool, entries: Sequence[AuditEntry] = ()
    ) -> bool:
        """See `ErasureStore.disable_user`. The rest of a service, here or elsewhere, does what
        follows: it closes connections, and erases the account (`LockOuts`, `Erasures`)."""
        done = await self._store.disable_user(user_id, now_us, erase=erase, entries=entries)
        self._sessions.changed(user_id, signed_out=True)
        return done

    # Listeners

    async def set_listener(self, listener: Listener) -> None:
        """Replace the previous listener, whose connections are closed."""
        old = await self._store.listener(listener.user_id)
        await self._store.set_listener(listener)
        self._mqtt_relay.changed(listener.user_id)
        if old is not None:
            await self._session_sweep.listener_deleted(old.username)

    async def delete_listener(self, user_id: str) -> bool:
        """False if there is none."""
        gone = await self._store.delete_listener(user_id)
        if gone is None:
            return False
        self._mqtt_relay.changed(user_id)
        await self._session_sweep.listener_deleted(gone.username)
        return True

    # Webhooks

    async def change_webhook(self, webhook: Webhook, known: int | None = None) -> None:
        """Its pending deliveries are tried at once."""
        await self._store.update_webhook(webhook, known)
        self._scheduler.wake("webhooks")

    async def add_delivery(self, webhook: Webhook, news: News) -> WebhookDelivery:
        delivery = await self._store.add_delivery(webhook, news)
        self._scheduler.wake("webhooks")
        return delivery

    async def retry_delivery(
        self, user_id: str, webhook_id: str, delivery_id: str, now_us: int
    ) -> WebhookDelivery | None:
        """None if there is no such delivery."""
        delivery = await self._store.retry_delivery(user_id, webhook_id, delivery_id, now_us)
        if delivery is not None:
            self._scheduler.wake("webhooks")
        return delivery

    # Schedules

    async def add_schedule(self, schedule: Schedule, due: Sequence[int], most: int) -> Schedule:
        schedule = await self._store.add_schedule(schedule, due, most)
        self._scheduled(schedule)
        return schedule

    async def change_schedule(self, schedule: Schedule, due: Sequence[int]) -> None:
        changed = await self._store.update_schedule(schedule, due, schedule.revision)
        for occurrence in changed:
            self._users.tell(schedule.user_id, OccurrenceChanged(occurrence))
        self._scheduled(schedule)

    async def delete_schedule(self, schedule: Schedule) -> None:
        await self._store.delete_schedule(schedule.user_id, schedule.id)
        self._users.tell(schedule.user_id, ScheduleChanged(schedule, deleted=True))

    def _scheduled(self, schedule: Schedule) -> None:
        self._users.tell(schedule.user_id, ScheduleChanged(schedule))
        if schedule.next_us is not None:
            self._scheduler.due("occurrences", schedule.next_us)
        if schedule.plan_us is not None:
            self._scheduler.due("plans", schedule.plan_us)

    # Alarms

    async def acknowledge_alarms(
        self, user_id: str, alarm_ids: Sequence[str], now_us: int
    ) -> list[Alarm]:
        """Those of them that exist."""
        # An alarm that an actor has just judged may not be stored yet.
        await self._writer.barrier()
        alarms = await self._store.acknowledge_alarms(user_id, alarm_ids, now_us)
        for alarm in alarms:
            self._users.tell(user_id, AlarmChanged(alarm))
        if alarms:
            self._scheduler.wake("webhooks")
        return alarms
