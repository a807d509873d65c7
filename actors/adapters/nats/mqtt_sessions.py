"""The MQTT sessions of clients on the embedded broker: listing and deleting them.

A session is a message of the stream `$MQTT_sess`; each of its QoS 1 or 2 subscriptions is a
consumer of `$MQTT_msgs`. The broker also has it in memory, until it ends or another server of its
cluster takes the session over. `forget` pretends to be such a server, because nothing else makes
the broker forget one. Sessions, names and subjects are those of nats-server 2.15
(`server/mqtt.go`), guarded by `tests/contract/test_broker_sessions.py`.

All async functions here are asyncio-flavored.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from actors.adapters.nats.jetstream import (
    CONSUMER_NOT_FOUND,
    NO_MESSAGE_FOUND,
    STREAM_NOT_FOUND,
    call,
)
from protocol import codec
from protocol.errors import Unavailable

SESSIONS, MESSAGES, RELEASES, UNRELEASED = "$MQTT_sess", "$MQTT_msgs", "$MQTT_out", "$MQTT_qos2in"
SESSION_SUBJECT, UNRELEASED_SUBJECT = "$MQTT.sess.", "$MQTT.qos2.in."
RELEASE_CONSUMER = "$MQTT_PUBREL_"
# Published by another server of a cluster when a client with this client id has connected to it.
TAKEN_OVER = "$MQTT.JSA.roost-forgets.SP.{hash}.x"
TAKEN = codec.encode({"stream": SESSIONS, "seq": (1 << 64) - 1})
NO_SESSION = (NO_MESSAGE_FOUND, STREAM_NOT_FOUND)
NO_CONSUMER = (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)

LIST_WITHIN_S = 30.0
# A session that is used while it is deleted may be stored once more.
FORGET_TRIES = 3
# A subscription exists a moment before its session is stored with it.
ORPHAN_AFTER = timedelta(minutes=1)
ORPHANS_MAX = 1_000  # at a time
NAMES_PAGES_MAX = 64  # of 1,024 each

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Record(msgspec.Struct, frozen=True):
    """A session as the broker stores it."""

    client_id: str = msgspec.field(name="id", default="")
    clean: bool = False
    cons: dict[str, "_Consumer | None"] = {}


class _Consumer(msgspec.Struct, frozen=True):
    durable_name: str = ""


class _Stored(msgspec.Struct, frozen=True):
    data: bytes = b""  # base64


class _Found(msgspec.Struct, frozen=True):
    message: _Stored


class _Names(msgspec.Struct, frozen=True):
    total: int
    consumers: list[str] | None = None


class _Info(msgspec.Struct, frozen=True):
    created: datetime
    ts: datetime  # of the answer


class _Made(msgspec.Struct, frozen=True):
    name: str
    num_pending: int


class _State(msgspec.Struct, frozen=True):
    consumer_count: int


class _Stream(msgspec.Struct, frozen=True):
    state: _State


_records = msgspec.json.Decoder(Record)
_found = msgspec.json.Decoder(_Found)
_names = msgspec.json.Decoder(_Names)
_infos = msgspec.json.Decoder(_Info)
_streams = msgspec.json.Decoder(_Stream)
_made = msgspec.json.Decoder(_Made)
_any = msgspec.json.Decoder()


def hash_of(client_id: str) -> str:
    """The broker's name for a session (`getHash` in `server/events.go`)."""
    digest = hashlib.sha256(client_id.encode()).digest()
    return "".join(_DIGITS[byte % len(_DIGITS)] for byte in digest[:8])


class MqttSessions:
    """On a connection in the account of MQTT.

    Args:
        ours: client ids of Roost's own sessions, which are never touched.
    """

    def __init__(self, connection: Any, ours: Sequence[str]) -> None:
        self._connection = connection
        self._ours = frozenset(ours)

    async def records(self) -> list[Record]:
        """All sessions that the broker stores, except ours."""
        return [each for each in await self._all() if each.client_id not in self._ours]

    async def record(self, client_id: str) -> Record | None:
        """The stored session of this client id."""
        wanted = {"last_by_subj": SESSION_SUBJECT + hash_of(client_id)}
        found = await self._call(f"STREAM.MSG.GET.{SESSIONS}", wanted, _found, NO_SESSION)
        record = None if found is None else codec.decode_as(_records, found.message.data)
        return record if record is not None and record.client_id == client_id else None

    async def forget(self, client_id: str) -> None:
        """Close its connection, and delete everything that the broker has for it. Ours are left
        alone."""
        if client_id in self._ours:
            return
        name = hash_of(client_id)
        for _ in range(FORGET_TRIES):
            await self._connection.publish(TAKEN_OVER.format(hash=name), TAKEN)
            record = await self.record(client_id)
            for consumer in [] if record is None else record.cons.values():
                if consumer is not None:
                    await self._delete(MESSAGES, consumer.durable_name)
            await self._delete(RELEASES, RELEASE_CONSUMER + name)
            if all(client_id.split(".")):  # otherwise the broker cannot have stored any
                await self._purge(UNRELEASED, f"{UNRELEASED_SUBJECT}{client_id}.>")
            if record is None:
                return
            await self._purge(SESSIONS, SESSION_SUBJECT + name)

    async def subscription_count(self) -> int:
        """How many QoS 1 or 2 subscriptions there are, including ours."""
        found = await self._call(f"STREAM.INFO.{MESSAGES}", {}, _streams, (STREAM_NOT_FOUND,))
        return 0 if found is None else found.state.consumer_count

    async def subscribed(self) -> list[str]:
        """The hash of the client id of each of them."""
        return [_session_of(name) for _, name in await self._consumers(MESSAGES)]

    async def clear_away(self) -> int:
        """Delete consumers whose session no longer exists; return how many there were."""
        names = [name for stream in (MESSAGES, RELEASES) for name in await self._consumers(stream)]
        known = {hash_of(each.client_id) for each in await self._all()}
        known.update(map(hash_of, sorted(self._ours)))
        orphans = [(stream, name) for stream, name in names if _session_of(name) not in known]
        cleared = 0
        for stream, name in orphans[:ORPHANS_MAX]:
            info = await self._call(f"CONSUMER.INFO.{stream}.{name}", {}, _infos, NO_CONSUMER)
            if info is not None and info.ts - info.created > ORPHAN_AFTER:
                await self._delete(stream, name)
                cleared += 1
        return cleared

    async def _consumers(self, stream: str) -> list[tuple[str, str]]:
        """Consumers that belong to sessions, with their stream."""
        found: list[tuple[str, str]] = []
        seen = 0
        for _ in range(NAMES_PAGES_MAX):
            asked = {"offset": seen}
            page = await self._call(f"CONSUMER.NAMES.{stream}", asked, _names, NO_CONSUMER)
            names = [] if page is None else page.consumers or []
            found += [(stream, name) for name in names if _session_of(name)]
            seen += len(names)
            if page is None or not names or seen >= page.total:
                break
        return found

    async def _all(self) -> list[Record]:
        """Read them with a consumer of our own, which is much faster than one request for each."""
        inbox = self._connection.new_inbox()
        arrived = await self._connection.subscribe(inbox)
        config = {"deliver_subject": inbox, "ack_policy": "none", "deliver_policy": "all"}
        short = {"mem_storage": True, "inactive_threshold": round(LIST_WITHIN_S * 1e9)}
        wanted = {"stream_name": SESSIONS, "config": {**config, **short}}
        try:
            create = f"CONSUMER.CREATE.{SESSIONS}"
            made = await self._call(create, wanted, _made, (STREAM_NOT_FOUND,))
            if made is None:
                return []
            try:
                return await asyncio.wait_for(_taken(arrived, made.num_pending), LIST_WITHIN_S)
            finally:
                await self._delete(SESSIONS, made.name)
        finally:
            await arrived.unsubscribe()

    async def _delete(self, stream: str, consumer: str) -> None:
        await self._call(f"CONSUMER.DELETE.{stream}.{consumer}", {}, _any, NO_CONSUMER)

    async def _purge(self, stream: str, subject: str) -> None:
        wanted = {"filter": subject}
        await self._call(f"STREAM.PURGE.{stream}", wanted, _any, (STREAM_NOT_FOUND,))

    async def _call(self, *what: Any) -> Any:
        return await call(self._connection, *what)


async def _taken(arrived: Any, count: int) -> list[Record]:
    """This many messages, and those that arrived meanwhile. Each says how many are left after it,
    because messages that are deleted meanwhile do not arrive.

    Raises:
        Unavailable: one was lost, because all together were too many bytes.
    """
    found: list[Record] = []
    left = count
    while left:
        message = await arrived.next_msg(LIST_WITHIN_S)
        found.append(codec.decode_as(_records, message.data))
        # $JS.ACK.<stream>.<consumer>.<tries>.<number in the stream>.<number here>.<time>.<left>
        *_, here, _, left_now = message.reply.split(".")
        left = int(left_now)
        if int(here) != len(found):
            raise Unavailable("the broker's sessions could not all be read")
    return found


def _session_of(consumer: str) -> str:
    """The hash of a consumer's session; "" if it belongs to none."""
    if consumer.startswith(RELEASE_CONSUMER):
        return consumer.removeprefix(RELEASE_CONSUMER)
    name, separator, _ = consumer.partition("_")
    return name if separator and len(name) == 8 else ""
