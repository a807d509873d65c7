"""The Store port on PostgreSQL: each call enters asyncio once, with a whole unit of work.

async with open_store("postgresql://…") as store:
    await store.migrate()
    await store.commit(batch)
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import trio

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.postgres import devices, history, history_deletion, lead_lease
from actors.adapters.postgres.access import AccessCalls
from actors.adapters.postgres.accounts import AccountCalls
from actors.adapters.postgres.alarms import AlarmCalls
from actors.adapters.postgres.backups import RestoreCalls
from actors.adapters.postgres.calendar import CalendarCalls
from actors.adapters.postgres.command_claims import CommandCalls
from actors.adapters.postgres.dead_letter_care import DeadLetterCalls
from actors.adapters.postgres.erasure import ErasureCalls
from actors.adapters.postgres.ingest import committing, loading
from actors.adapters.postgres.listeners import ListenerCalls
from actors.adapters.postgres.listing import ListCalls
from actors.adapters.postgres.media import MediaCalls
from actors.adapters.postgres.orders import OrderCalls
from actors.adapters.postgres.people import PeopleCalls
from actors.adapters.postgres.products import ProductCalls
from actors.adapters.postgres.refusals import RefusalCalls
from actors.adapters.postgres.rollups.rolling import ChartCalls
from actors.adapters.postgres.schedule_claims import ScheduleCalls
from actors.adapters.postgres.second_factors import SecondFactorCalls
from actors.adapters.postgres.sessions import SessionCalls
from actors.adapters.postgres.single_records import SingleRecordCalls
from actors.adapters.postgres.views import SqlLoginCalls
from actors.adapters.postgres.webhooks import WebhookCalls
from actors.adapters.postgres.wire import connections, migrating
from actors.adapters.postgres.wire.partitions import make_partitions
from actors.adapters.postgres.wire.pool import Pool, PooledCalls
from actors.ports.lead import Lead
from actors.ports.store import Batch, Committed, FeedPage
from protocol.people.people import AUDIT_KEPT_DAYS
from protocol.records import (
    Device,
    Feed,
    LoadedDevice,
    MqttLogin,
    SessionMemory,
    StoredReading,
)

# The writer has its own connection: many requests of people never make readings wait.
WRITING_CONNECTIONS = 1
READING_CONNECTIONS = 8
LEADING_CONNECTIONS = 1
# Shorter than a lease: a query without an answer is repeated before the lease runs out.
LEAD_WITHIN_S = 2.0


class PostgresStore(
    CommandCalls,
    ScheduleCalls,
    CalendarCalls,
    AlarmCalls,
    WebhookCalls,
    MediaCalls,
    PeopleCalls,
    SessionCalls,
    AccessCalls,
    AccountCalls,
    SecondFactorCalls,
    ErasureCalls,
    ListenerCalls,
    ProductCalls,
    OrderCalls,
    ChartCalls,
    ListCalls,
    DeadLetterCalls,
    RefusalCalls,
    SingleRecordCalls,
    SqlLoginCalls,
    RestoreCalls,
    PooledCalls,
):
    """See `actors.ports.store.Store` for what each call promises.

    Attributes:
        hung: the database did not answer at the end of the service.
    """

    hung = False

    async def migrate(self) -> list[str]:
        """Apply migrations; return their names. Raises `SettingsError`, `Unavailable`."""

        async def unit() -> list[str]:
            connection = await connections.connect(self._url)
            try:
                return await migrating.migrate(connection)
            finally:
                await connection.close(timeout=connections.CLOSE_TIMEOUT_S)  # noqa: ASYNC102 (asyncio)

        return await self._cross(unit)

    async def tidy(self, audit_days: int = AUDIT_KEPT_DAYS) -> None:
        """Hourly housekeeping: create partitions ahead, delete old message ids."""

        async def unit(connection: Any) -> None:
            failed = await history.tidy(connection, audit_days)
            await make_partitions(connection)
            if failed is not None:
                raise failed

        await self._work(unit, within_s=history_deletion.PURGE_WITHIN_S)

    async def ping(self) -> None:
        async def unit(connection: Any) -> None:
            await connection.fetchval("SELECT 1")

        await self._work(unit)

    async def knock(self, within_s: float) -> None:
        """Open a new connection. A refusal is an answer, too: of a server that recovers, ends, or
        has too many connections.

        Raises:
            Unavailable: there was no answer in that time.
        """

        async def unit() -> None:
            try:
                connection = await asyncpg.connect(self._url, timeout=within_s)
            except TimeoutError:
                raise
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return
            await connection.close(timeout=connections.CLOSE_TIMEOUT_S)

        await self._cross(unit)

    async def hold_lead(
        self, holder: str, lease_s: float, *, seize: bool = False, is_fit: bool = True
    ) -> Lead:
        # A connection of its own: neither people nor readings may delay the lead.
        hold = lead_lease.hold_lead
        asked = holder, lease_s, seize, is_fit
        return await self._work_in(self._leading, hold, *asked, within_s=LEAD_WITHIN_S)

    async def resign_lead(self, holder: str) -> None:
        await self._work_in(self._leading, lead_lease.resign_lead, holder, within_s=LEAD_WITHIN_S)

    async def is_led(self) -> bool:
        """Whether a service runs on this database: for the operator's commands."""
        return await self._work(lead_lease.is_held)

    async def commit(self, batch: Batch) -> Committed:
        return await self._work(committing.commit, batch, writing=True)

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        return await self._work(loading.load_devices, keys)

    async def snapshot(
        self, user_id: str, after: int, limit: int
    ) -> tuple[list[Device], int | None]:
        return await self._work(loading.snapshot, user_id, after, limit)

    async def session_memory(self, session: str) -> SessionMemory:
        return await self._work(loading.session_memory, session)

    async def add_device(self, device: Device, login: MqttLogin) -> Device:
        return await self._work(devices.add_device, device, login)

    async def add_devices(
        self, made: Sequence[tuple[Device, MqttLogin]], most: int | None = None
    ) -> list[Device]:
        return await self._work(devices.add_devices, made, most)

    async def devices(self, user_id: str, limit: int, after: int) -> list[Device]:
        return await self._work(loading.devices, user_id, limit, after)

    async def update_device(self, device: Device, known: int | None = None) -> None:
        await self._work(devices.update_device, device, known)

    async def delete_device(self, user_id: str, device_id: str, purge: bool) -> None:
        work, within_s = devices.delete_device, history_deletion.PURGE_WITHIN_S
        await self._work(work, user_id, device_id, purge, within_s=within_s)

    async def set_login(self, device_id: str, login: MqttLogin) -> None:
        await self._work(devices.set_login, device_id, login)

    async def logins(self, usernames: Sequence[str]) -> dict[str, MqttLogin]:
        return await self._work(devices.logins, usernames)

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        return await self._work(devices.issued, usernames)

    async def add_feed(
        self, feed: Feed, most: int | None = None, most_of_device: int | None = None
    ) -> Feed:
        return await self._work(history.add_feed, feed, most, most_of_device)

    async def feeds(
        self, user_id: str, limit: int, after: int, device_id: str | None = None
    ) -> list[Feed]:
        return await self._work(loading.feeds, user_id, limit, after, device_id)

    async def update_feed(self, feed: Feed, known: int | None = None) -> None:
        await self._work(history.update_feed, feed, known)

    async def delete_feed(self, user_id: str, feed_id: str) -> None:
        within_s = history_deletion.PURGE_WITHIN_S
        await self._work(history.delete_feed, user_id, feed_id, within_s=within_s)

    async def feed_values(self, page: FeedPage) -> list[StoredReading]:
        return await self._work(history.feed_values, page)


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[PostgresStore]:
    """A store on the database of that URL. It connects at the first use, and again after a loss."""
    async with open_bridge("postgres") as bridge:
        kind = connections.kind()
        reading = await bridge.run(connections.open_pool, url, READING_CONNECTIONS, kind)
        writing = await bridge.run(
            partial(connections.open_pool, url, WRITING_CONNECTIONS, kind, **connections.COMMITTING)
        )
        leading = await bridge.run(connections.open_pool, url, LEADING_CONNECTIONS, kind)
        store = PostgresStore(
            bridge,
            url,
            kind,
            Pool(reading, READING_CONNECTIONS),
            Pool(writing, WRITING_CONNECTIONS),
            Pool(leading, LEADING_CONNECTIONS),
        )
        try:
            yield store
        finally:
            with trio.CancelScope(shield=True):  # bounded by CLOSE_TIMEOUT_S
                pools = (reading, writing, leading)
                store.hung = not await bridge.run(connections.close_pools, kind, *pools)
