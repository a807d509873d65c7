"""Bounds on what the embedded broker stores: of its streams, and of messages that no client
fetches.

The server itself only has one limit for all streams together (`max_file_store`). Once that is
reached nobody can connect any more, Roost included, because there is no room for a session. So each
stream gets a share, and refuses messages beyond it: a QoS 1 or 2 publication is not acknowledged,
and its connection is closed.

Two kinds of messages could fill a stream, and nothing but this module removes them:

- QoS 2 messages that are never released. They are stored before permissions are checked, for ever,
  and beyond the end of a clean session: `$MQTT.qos2.in.<client id>.<packet id>`;
- messages for a session of a listener or device that does not come back, or acknowledges nothing: a
  consumer whose name begins with the hash of the client id.

Requests: docs.nats.io, "JetStream wire API"; guarded by `tests/real/test_abuse_bytes.py`.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import nats.errors
import structlog
import trio

from actors.adapters.asyncio_bridge import Bridge
from actors.adapters.nats.mqtt_sessions import (
    MESSAGES,
    RELEASES,
    SESSION_SUBJECT,
    SESSIONS,
    TAKEN,
    TAKEN_OVER,
    UNRELEASED,
    UNRELEASED_SUBJECT,
    hash_of,
)
from actors.ports.broker import SessionPlan
from protocol import codec
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.broker")

RETAINED = "$MQTT_rmsgs"
TIMEOUT_S = 2.0
# Per client, QoS 2 messages that it has not released. A client that has more for so long loses them
# all; at once, if their stream is half full. A device that was cut off sends its whole backlog at
# once (paho does), and releases it within seconds.
UNRELEASED_EACH = 1_000
PATIENCE_S = 20.0
# For all clients together: as many names can be read at once (2 MB of JSON).
UNRELEASED_MAX = 20_000
# A device that was cut off releases its messages when it is back, within this time.
UNRELEASED_S = 7 * 24 * 3600
# Once messages take more than half of their share, sessions of clients with this many are deleted.
HELD_MAX = 1_000
ENDED_EACH = 16
PAGES_MAX = 64  # of 256 consumers


class _Held(msgspec.Struct, frozen=True):
    messages: int = 0
    bytes: int = 0
    subjects: dict[str, int] = {}


class _Stream(msgspec.Struct, frozen=True):
    config: dict[str, Any] = {}
    state: _Held = _Held()
    error: dict[str, Any] | None = None


class Excess(msgspec.Struct, frozen=True):
    """A client that released too little (`client_id`), or a session that fetches nothing
    (`session`, the hash of its client id), and how many of its messages were deleted."""

    messages: int
    client_id: str = ""
    session: str = ""


class StoreBounds:
    """On a connection in the account of MQTT.

    Args:
        size: bytes that all streams may take (`max_file_store`).
        shut_out: closes the connection of a client id, and locks it out for a while.
        patience_s: how long a client may have too many unreleased messages.
    """

    def __init__(
        self,
        bridge: Bridge,
        connection: Any,
        plans: Sequence[SessionPlan],
        size: int,
        shut_out: Callable[[str], Awaitable[None]],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.bytes: dict[str, int] = {}  # by stream, at the last look
        self._patience_s = patience_s
        self._above: dict[str, float] = {}  # clients with too many unreleased messages; since when
        self._bridge = bridge
        self._connection = connection
        self._ours = {hash_of(plan.client_id) for plan in plans}
        self._shut_out = shut_out
        # A sixteenth is left for sessions. Messages that are stored already stay, whatever the
        # limit.
        self._limits: dict[str, dict[str, Any]] = {
            MESSAGES: {"max_bytes": size * 3 // 4, "discard": "new"},
            UNRELEASED: {
                "max_bytes": size // 16,
                "max_msgs": UNRELEASED_MAX,
                "max_age": UNRELEASED_S * 10**9,
            },
            RELEASES: {"max_bytes": size // 16, "discard": "new"},
            RETAINED: {"max_bytes": size // 16, "discard": "new"},
        }

    async def keep(self) -> list[Excess]:
        """Set bounds that are not set, and remove what is too much; return what was removed.

        Raises:
            Unavailable: the broker does not answer.
        """
        try:
            ended = await self._bridge.run(partial(self._look, trio.current_time()))
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(
                f"the broker does not tell what it stores: {in_words(error)}"
            ) from error
        for each in ended:
            if each.client_id:
                await self._shut_out(each.client_id)
        return ended

    async def _look(self, now_s: float) -> list[Excess]:
        ended: list[Excess] = []
        for name, limits in self._limits.items():
            found = await self._info(name, {})
            if found.error is not None:
                continue  # it is created with the first session with QoS 1
            self.bytes[name] = found.state.bytes
            if any(found.config.get(key) != value for key, value in limits.items()):
                await self._set(name, {**found.config, **limits})
            if name == UNRELEASED and found.state.messages <= UNRELEASED_EACH:
                self._above = {}
            elif name == UNRELEASED:
                is_half_full = (
                    found.state.bytes > limits["max_bytes"] // 2
                    or found.state.messages > limits["max_msgs"] // 2
                )
                patience_s = 0.0 if is_half_full else self._patience_s
                ended += await self._end_unreleased(now_s, patience_s)
            if name == MESSAGES and found.state.bytes > limits["max_bytes"] // 2:
                ended += await self._end_sessions()
        return ended

    async def _end_unreleased(self, now_s: float, patience_s: float) -> list[Excess]:
        found = await self._info(UNRELEASED, {"subjects_filter": UNRELEASED_SUBJECT + ">"})
        many: Counter[str] = Counter()
        for subject, count in found.state.subjects.items():
            many[subject.removeprefix(UNRELEASED_SUBJECT).rpartition(".")[0]] += count
        above = [name for name, count in many.items() if count > UNRELEASED_EACH]
        self._above = {name: self._above.get(name, now_s) for name in above}
        ended = [
            Excess(many[name], client_id=name)
            for name, since_s in self._above.items()
            if now_s - since_s >= patience_s
        ]
        for each in ended:
            wanted = {"filter": f"{UNRELEASED_SUBJECT}{each.client_id}.>"}
            await self._ask(f"STREAM.PURGE.{UNRELEASED}", wanted)
        return ended

    async def _end_sessions(self) -> list[Excess]:
        """Delete the sessions that hold most, except ours."""
        held: Counter[str] = Counter()
        consumers: dict[str, list[str]] = {}
        offset = 0
        for _ in range(PAGES_MAX):
            page = await self._ask(f"CONSUMER.LIST.{MESSAGES}", {"offset": offset})
            found = page.get("consumers") or []
            for each in found:
                session = each["name"].partition("_")[0]
                held[session] += each["num_pending"] + each["num_ack_pending"]
                consumers.setdefault(session, []).append(each["name"])
            offset += len(found)
            if not found or offset >= page["total"]:
                break
        ended = [
            Excess(count, session=session)
            for session, count in held.most_common(ENDED_EACH + len(self._ours))
            if count >= HELD_MAX and session not in self._ours
        ][:ENDED_EACH]
        for each in ended:
            await self._connection.publish(TAKEN_OVER.format(hash=each.session), TAKEN)
            for name in consumers[each.session]:
                await self._ask(f"CONSUMER.DELETE.{MESSAGES}.{name}", {})
            await self._ask(f"STREAM.PURGE.{SESSIONS}", {"filter": SESSION_SUBJECT + each.session})
        return ended

    async def _info(self, name: str, body: dict[str, Any]) -> _Stream:
        answer = await self._connection.request(
            f"$JS.API.STREAM.INFO.{name}", codec.encode(body), timeout=TIMEOUT_S
        )
        return msgspec.json.decode(answer.data, type=_Stream)

    async def _set(self, name: str, config: dict[str, Any]) -> None:
        """Raises `Unavailable` if the broker refuses these bounds."""
        answer = await self._ask(f"STREAM.UPDATE.{name}", config)
        if answer.get("error"):
            raise Unavailable(f"the broker does not bound {name}: {answer['error']}")
        log.info("the broker's store is bounded", stream=name, max_bytes=config["max_bytes"])

    async def _ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._connection.request(
            f"$JS.API.{name}", codec.encode(body), timeout=TIMEOUT_S
        )
        found: dict[str, Any] = codec.decode(answer.data)
        return found
