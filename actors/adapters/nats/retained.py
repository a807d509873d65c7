"""Devices' retained messages on the embedded broker, read through its JetStream.

NATS stores a retained message in the stream `$MQTT_rmsgs`, one for each subject, and keeps the list
of subjects in memory. To clear one it stores an empty message there, reads it itself, forgets the
subject and deletes that message. We do the same, and name the message that we mean: the stream
refuses it if there is a newer one. (Deleting from the stream alone leaves a copy in memory for two
minutes, which SUBSCRIBE delivers.) Read in nats-server 2.15, `server/mqtt.go`; guarded by
`tests/contract/test_retained.py`.

No client receives such a clearing, because it is no publication.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ParamSpec, TypeVar

import nats.errors
from nats.js import api

from actors.adapters.asyncio_bridge import Bridge
from actors.ports.retained import Held
from protocol import codec
from protocol.device.publishing import PAYLOAD_MAX
from protocol.device.topics import partition, prefix
from protocol.errors import Unavailable, in_words

P = ParamSpec("P")
T = TypeVar("T")

STREAM = "$MQTT_rmsgs"
PREFIX = "$MQTT.rmsgs."
# Devices' messages, mapped or not; `live.…` is ours.
ALL = ("part.>", "state.>", "users.>")
NO_STATES = ("part.>", "state.*.users.*.devices.*.commands.>", "users.>")
# Our longest message is a document for a listener. Devices' retained messages have a smaller limit
# of their own, and nothing larger than this is ever stored.
MESSAGE_MAX = PAYLOAD_MAX + 4_096
TIMEOUT_S = 5.0
PAGE = 500
LOOK_MAX = 5_000
# Clearings in flight.
WINDOW = 100
# More messages of one kind than this are not looked at one by one.
MASS = 20_000
READINGS = "part.>"
CLEARED = "-"  # how the flags of a clearing begin
_WRONG_LAST = 10_071  # JSStreamWrongLastSequenceErrF: there is a newer one
_NO_STREAM = 10_059
_MEANS = {"/.": "/", "//": ".", "/": "", ".": "/"}
_PARTS = re.compile(r"/[./]|[/.]")


class NatsRetained:
    """`actors.ports.retained.RetainedMessages` on a connection in the account of MQTT."""

    tells = True

    def __init__(self, bridge: Bridge, connection: Any, partitions: int) -> None:
        self._bridge = bridge
        self._connection = connection
        self._partitions = partitions
        self._origin = ""

    async def limit(self) -> int:
        return await self._asked(self._limit)

    async def held(self, after: int, *, states: bool) -> list[Held]:
        return await self._asked(self._held, ALL if states else NO_STATES, after)

    async def of_device(self, user_id: str, code: str) -> list[Held]:
        k = partition(user_id, code, self._partitions)
        place = prefix(user_id, code).replace("/", ".")
        return await self._asked(
            self._held, [f"part.{k}.{place}.>", f"state.{k}.{place}.>", place, f"{place}.>"], 0
        )

    async def clear(self, held: Sequence[Held]) -> bool:
        return await self._asked(self._clear, held)

    async def _asked(
        self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await self._bridge.run(work, *args, **kwargs)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            why = f"the broker does not tell what is retained: {in_words(error)}"
            raise Unavailable(why) from error

    # asyncio-flavored

    async def _limit(self) -> int:
        """Set the bounds before anybody except Roost can log in, so that they hold from the first
        message on. The size of the whole stream is set with the other streams (`store_bounds`)."""
        found = await self._request(f"$JS.API.STREAM.INFO.{STREAM}", {})
        bounds = {"max_msg_size": MESSAGE_MAX, "discard": "new"}
        if "error" in found:
            if found["error"].get("err_code") != _NO_STREAM:
                raise nats.errors.Error(found["error"].get("description", "no answer"))
            made = {
                "name": STREAM,
                "subjects": [PREFIX + ">"],
                "storage": "file",
                "retention": "limits",
                "num_replicas": 1,
                "max_msgs_per_subject": 1,
                **bounds,
            }
            return await self._bounded("CREATE", made)
        config, size = found["config"], int(found["state"]["bytes"])
        if any(config.get(name) != bound for name, bound in bounds.items()):
            await self._bounded("UPDATE", {**config, **bounds})
        if found["state"]["messages"] > MASS:
            await self._purge_mass()
        return size

    async def _bounded(self, how: str, config: dict[str, Any]) -> int:
        answer = await self._request(f"$JS.API.STREAM.{how}.{STREAM}", config)
        if "error" in answer:
            raise nats.errors.Error(answer["error"].get("description", "no answer"))
        return int(answer["state"]["bytes"])

    async def _purge_mass(self) -> None:
        """Purge readings if there are too many to look at one by one; our session has those with
        QoS 1 itself. The server forgets their subjects when it does not find them."""
        wanted = {"subjects_filter": PREFIX + READINGS}
        found = await self._request(f"$JS.API.STREAM.INFO.{STREAM}", wanted)
        if len(found["state"].get("subjects") or ()) > MASS:
            await self._request(f"$JS.API.STREAM.PURGE.{STREAM}", {"filter": PREFIX + READINGS})

    async def _held(self, subjects: Sequence[str], after: int) -> list[Held]:
        """Read their headers only, not their payloads."""
        found = await self._request(f"$JS.API.STREAM.INFO.{STREAM}", {})
        if "error" in found or found["state"]["last_seq"] <= after:
            return []
        config = api.ConsumerConfig(
            filter_subjects=[PREFIX + each for each in subjects],
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=api.AckPolicy.NONE,
            headers_only=True,
            inactive_threshold=30.0,
            mem_storage=True,
        )
        stream = self._connection.jetstream(timeout=TIMEOUT_S)
        subscription = await stream.pull_subscribe("", stream=STREAM, config=config)
        name = config.name
        held: list[Held] = []
        try:
            left = int((await stream.consumer_info(STREAM, name)).num_pending)
            while left > 0 and len(held) < LOOK_MAX:
                messages = await subscription.fetch(min(left, PAGE), timeout=TIMEOUT_S)
                for message in messages:
                    left = message.metadata.num_pending
                    if (each := self._read(message)) is not None:
                        held.append(each)
                await asyncio.sleep(0)
        finally:
            await subscription.unsubscribe()
            await stream.delete_consumer(STREAM, name)
        return held

    def _read(self, message: Any) -> Held | None:
        """None for a clearing that the server has not read yet."""
        headers = message.headers or {}
        self._origin = headers.get("Nmqtt-ROrigin", self._origin)
        flags = headers.get("Nmqtt-RFlags", "0")
        if flags.startswith(CLEARED):
            return None
        place = message.subject.removeprefix(PREFIX)
        return Held(
            topic_of(place),
            int(headers.get("Nats-Msg-Size", 0)),
            int(flags, 16) >> 1 & 3,
            message.metadata.sequence.stream,
            place,
        )

    async def _clear(self, held: Sequence[Held]) -> bool:
        good = True
        for start in range(0, len(held), WINDOW):
            part = held[start : start + WINDOW]
            good &= all(await asyncio.gather(*map(self._clear_one, part)))
        return good

    async def _clear_one(self, each: Held) -> bool:
        headers = {
            "Nmqtt-RFlags": CLEARED + "1",
            "Nmqtt-ROrigin": self._origin,
            "Nats-Expected-Last-Subject-Sequence": str(each.no),
        }
        answer = await self._connection.request(
            PREFIX + each.place, b"", timeout=TIMEOUT_S, headers=headers
        )
        error = codec.decode(answer.data).get("error")
        return error is None or error.get("err_code") == _WRONG_LAST

    async def _request(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._connection.request(subject, codec.encode(body), timeout=TIMEOUT_S)
        found: dict[str, Any] = codec.decode(answer.data)
        return found


def topic_of(subject: str) -> str:
    """The topic of a subject: a dot is a slash, `/.` a slash at an edge, `//` a dot."""
    return _PARTS.sub(lambda found: _MEANS[found[0]], subject)
