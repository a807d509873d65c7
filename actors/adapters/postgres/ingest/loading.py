"""What starting actors load: devices with their feeds, snapshots, and the memory of sessions."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres import alarms
from actors.adapters.postgres.list_queries import NOUNS
from actors.adapters.postgres.row_letters import note
from actors.adapters.postgres.tables import DEVICES
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.isolation import (
    UNREAD,
    Poison,
    always,
    can_read_another,
    newest_of,
    whole_or_halves,
)
from actors.adapters.postgres.wire.unreadable import read, readable
from protocol.dead_letters import SESSIONS, reason_of
from protocol.errors import in_words
from protocol.ids import is_uuid
from protocol.records import Device, Feed, LoadedDevice, SessionMemory, SharedFeeds
from protocol.rest.listing import UnreadableRow

DIGEST_BYTES = 16

# How long one query may wait in the lock's queue, and every commit behind it. Longer than the
# second after which PostgreSQL looks for deadlocks and cancels autovacuum (`deadlock_timeout`);
# shorter than the five seconds for which others wait for one of the connections.
_LOCK_TIMEOUT = "2s"


async def load_devices(
    connection: Any, keys: Sequence[tuple[str, str]]
) -> list[LoadedDevice | None]:
    """Devices by (user id, code), in three queries however many there are; None for an unknown one.

    Raises:
        Poison: a part of one of them cannot be read, but another device can be loaded.
    """
    try:
        return await _load(connection, keys)
    except UNREAD as error:
        unread = error
    if not await _can_load_any(connection):
        raise unread
    raise Poison(in_words(unread)) from unread


async def _can_load_any(connection: Any) -> bool:
    async def load(num: int) -> None:
        found = await connection.fetch(
            "SELECT user_id::text, code FROM devices WHERE num = $1", num
        )
        await _load(connection, [tuple(row) for row in found])

    return await can_read_another(connection, newest_of("devices"), [], load)


async def _load(connection: Any, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
    valid = [key for key in keys if is_uuid(key[0])]
    found = await connection.fetch(
        f"SELECT {DEVICES.selected} FROM unnest($1::text[], $2::text[]) AS k (user_id, code)"
        " JOIN devices d ON d.user_id = k.user_id::uuid AND d.code = k.code",
        [user_id for user_id, _ in valid],
        [code for _, code in valid],
    )
    devices = {device.key: device for device in map(rows.device, found)}
    own, shared = await _feeds(connection, list(devices.values()))
    known = await alarms.open_alarms(connection, [device.num for device in devices.values()])
    loaded: list[LoadedDevice | None] = []
    for key in keys:
        device = devices.get(key)
        if device is None:
            loaded.append(None)
            continue
        open_ones = tuple(known.get(device.num, ()))
        loaded.append(
            LoadedDevice(
                device=device,
                feeds=tuple(own[device.id]),
                shared=shared[device.user_id],
                alarms=open_ones,
            )
        )
    return loaded


async def _feeds(
    connection: Any, devices: Sequence[Device]
) -> tuple[dict[str, list[Feed]], dict[str, SharedFeeds]]:
    """Feeds of devices by the devices' ids, and shared ones by their users'."""
    own: dict[str, list[Feed]] = defaultdict(list)
    shared: dict[str, list[Feed]] = {device.user_id: [] for device in devices}
    found = await connection.fetch(
        f"SELECT {rows.FEED} FROM feeds f LEFT JOIN feed_last l"
        " ON l.feed_num = f.num AND f.device_id IS NOT NULL WHERE NOT f.archived AND"
        " (f.device_id = ANY($1::text[]::uuid[])"
        "  OR f.device_id IS NULL AND f.user_id = ANY($2::text[]::uuid[])) ORDER BY f.num",
        [device.id for device in devices],
        sorted(shared),
    )
    for feed in map(rows.feed, found):
        (shared[feed.user_id] if feed.device_id is None else own[feed.device_id]).append(feed)
    return own, {user_id: SharedFeeds(feeds) for user_id, feeds in shared.items()}


_PAGE = "WHERE d.user_id = $1::text::uuid AND d.num > $2::bigint ORDER BY d.num LIMIT $3"


async def snapshot(
    connection: Any, user_id: str, after: int, limit: int
) -> tuple[list[Device], int | None]:
    """A page of devices, and after which number the next one begins."""
    found = await read(connection, NOUNS["devices"], user_id, _PAGE, user_id, after, limit)
    records = [record for _, record in found]
    good = [record for record in records if not isinstance(record, UnreadableRow)]
    # Where some cannot be read, others that were deleted meanwhile may be missing, too.
    is_last = not records or len(good) == len(records) < limit
    return good, None if is_last else max(record.num for record in records)


async def devices(connection: Any, user_id: str, limit: int, after: int) -> list[Device]:
    return await readable(connection, NOUNS["devices"], user_id, _PAGE, user_id, after, limit)


async def feeds(
    connection: Any, user_id: str, limit: int, after: int, device_id: str | None
) -> list[Feed]:
    which = (
        "WHERE f.user_id = $1::text::uuid AND f.num > $2::bigint"
        " AND ($4::text IS NULL OR f.device_id = $4::text::uuid) ORDER BY f.num LIMIT $3"
    )
    asked = (user_id, after, limit, device_id)
    return await readable(connection, NOUNS["feeds"], user_id, which, *asked)


async def last_values(connection: Any, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
    """In the requested order."""
    which = (
        "WHERE f.user_id = $1::text::uuid AND f.id = ANY($2::text[]::uuid[])"
        " ORDER BY array_position($2::text[], f.id::text)"
    )
    return await readable(connection, NOUNS["feeds"], user_id, which, user_id, list(feed_ids))


async def session_memory(connection: Any, session: str) -> SessionMemory:
    """What earlier commits took of a session, including those that are still running.

    Devices are loaded for messages, and so after this: they start from finished commits, too.
    """
    await _end_of_earlier_commits(connection)
    confirmed = await connection.fetchval(
        "SELECT confirmed_no FROM sessions_confirmed WHERE session = $1", session
    )
    known: list[bytes] = []
    suspects: list[bytes] = []
    for row in await _taken(connection, session):
        into = known if row["commit_no"] <= (confirmed or 0) else suspects
        packed = row["digests"]
        into.extend(packed[n : n + DIGEST_BYTES] for n in range(0, len(packed), DIGEST_BYTES))
    return SessionMemory(suspects=tuple(suspects), known=tuple(known))


async def _taken(connection: Any, session: str) -> list[Any]:
    """Digests of its messages by commit. Those that cannot be read are put aside: the session
    serves all devices of a partition, and if it waited for them it would serve none."""

    async def read(commits: Sequence[int]) -> list[Any]:
        found: list[Any] = await connection.fetch(
            "SELECT commit_no, digests FROM taken WHERE session = $1"
            " AND commit_no = ANY($2::bigint[]) ORDER BY commit_no",
            session,
            list(commits),
        )
        return found

    async def aside(commit_no: int, error: Exception) -> None:
        await note(connection, SESSIONS, f"{session} {commit_no}", None, reason_of(error))

    keys = await connection.fetch(
        "SELECT commit_no FROM taken WHERE session = $1 ORDER BY commit_no", session
    )
    commits = [key["commit_no"] for key in keys]
    return await whole_or_halves(connection, commits, read, aside, always)


async def _end_of_earlier_commits(connection: Any) -> None:
    """Wait until every commit that has begun has ended, successfully or not.

    A process that was killed may leave a commit running on the server, which finishes by itself. If
    the digests were read before that, its messages would be neither known nor suspects, and would
    be taken a second time when the broker sends them again (I2).

    A commit that has begun holds ROW EXCLUSIVE on `commits`: a single statement from before the
    moment at which it reads the lead, a transaction until its COMMIT. SHARE conflicts with that,
    but not with itself, so all sessions may wait at once. A commit that begins later sees the lead
    that this process has by now, and does nothing. The two statements are sent as one message,
    which the server runs as one transaction: the lock ends with it, even if our connection is lost
    meanwhile. Nothing else is held while it waits, so there is no deadlock; and what is read
    afterwards has a newer snapshot.

    A transaction whose client has vanished is ended by `idle_in_transaction_session_timeout`. Until
    then each try is `Unavailable` after two seconds, and lets those behind it in the queue pass.
    """
    await connection.execute(
        f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'; LOCK TABLE commits IN SHARE MODE"
    )
