"""Devices and their logins. Every function is one unit of work on one connection."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from actors.adapters.postgres.history_deletion import erase_feeds
from actors.adapters.postgres.listeners import notify_settings
from actors.adapters.postgres.row_letters import note_row
from actors.adapters.postgres.tables import DEVICES, LOGINS
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.isolation import always, whole_or_halves
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.shares import check_share
from protocol.dead_letters import reason_of
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.records import Device, MqttLogin


async def add_device(connection: Any, device: Device, login: MqttLogin) -> Device:
    (added,) = await add_devices(connection, [(device, login)], None)
    return added


async def _insert(connection: Any, device: Device, login: MqttLogin) -> Device:
    new = msgspec.structs.replace(device, client_id=login.client_id)
    try:
        row = await connection.fetchrow(
            f"{DEVICES.insert('username', 'password_sha256')} RETURNING {DEVICES.selected}",
            *DEVICES.arguments(new),
            login.username,
            login.password_sha256,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(Detail("device_exists", device=device.code)) from None
    return rows.device(row)


async def add_devices(
    connection: Any, made: Sequence[tuple[Device, MqttLogin]], most: int | None
) -> list[Device]:
    async with connection.transaction():
        if made:
            await check_share(connection, "devices", made[0][0].user_id, most, len(made))
        await notify_settings(connection, list({device.user_id for device, _ in made}))
        return [await _insert(connection, device, login) for device, login in made]


async def update_device(connection: Any, device: Device, known: int | None) -> None:
    async with connection.transaction():
        await revise(connection, DEVICES, device, known)
        await notify_settings(connection, [device.user_id])


async def delete_device(connection: Any, user_id: str, device_id: str, purge: bool) -> None:
    """Delete the device; archive its feeds, or delete them with their history."""
    async with connection.transaction():
        await notify_settings(connection, [user_id])
        if purge:
            found = await connection.fetch(
                "SELECT num FROM feeds WHERE device_id = $2::text::uuid"
                " AND user_id = $1::text::uuid ORDER BY num",
                user_id,
                device_id,
            )
            await erase_feeds(connection, [row["num"] for row in found])
        else:
            await connection.execute(
                "UPDATE feeds SET archived = true, enabled = false"
                " WHERE device_id = $1::text::uuid",
                device_id,
            )
        await connection.execute(
            "DELETE FROM refusals_not_kept r USING devices d WHERE d.id = $2::text::uuid"
            " AND d.user_id = $1::text::uuid AND r.user_id = d.user_id AND r.device_code = d.code",
            user_id,
            device_id,
        )
        await connection.execute(
            "DELETE FROM devices WHERE id = $2::text::uuid AND user_id = $1::text::uuid",
            user_id,
            device_id,
        )


async def set_login(connection: Any, device_id: str, login: MqttLogin) -> None:
    await connection.execute(
        "UPDATE devices SET username = $2, client_id = $3, password_sha256 = $4"
        " WHERE id = $1::text::uuid",
        device_id,
        login.username,
        login.client_id,
        login.password_sha256,
    )


async def logins(connection: Any, usernames: Sequence[str]) -> dict[str, MqttLogin]:
    """A device whose row cannot be read is put aside and cannot log in; all others can."""

    async def read(some: Sequence[str]) -> list[MqttLogin]:
        found = await connection.fetch(
            f"SELECT {LOGINS.selected} FROM {LOGINS.source} WHERE d.username = ANY($1)"
            " AND d.user_id NOT IN (SELECT id FROM users WHERE disabled_at IS NOT NULL)",
            list(some),
        )
        return [LOGINS.record(row) for row in found]

    async def aside(username: str, error: Exception) -> None:
        row = await connection.fetchrow(
            "SELECT num, user_id::text FROM devices WHERE username = $1", username
        )
        if row is not None:
            await note_row(connection, "devices", row["num"], row["user_id"], reason_of(error))

    found = await whole_or_halves(connection, usernames, read, aside, always)
    return {login.username: login for login in found}


async def issued(connection: Any, usernames: Sequence[str]) -> set[str]:
    found = await connection.fetch(
        "SELECT username FROM devices WHERE username = ANY($1)"
        " UNION ALL SELECT username FROM listeners WHERE username = ANY($1)",
        list(usernames),
    )
    return {row["username"] for row in found}
