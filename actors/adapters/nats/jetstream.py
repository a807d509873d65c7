"""Requests to JetStream, and refusals that are expected.

Requests: docs.nats.io, "JetStream wire API"; error codes: nats-server, `server/errors.json`.
"""

from collections.abc import Collection
from typing import Any, TypeVar

import msgspec

from protocol import codec
from protocol.errors import Unavailable

TIMEOUT_S = 2.0
CONSUMER_NOT_FOUND = 10_014
NO_MESSAGE_FOUND = 10_037
STREAM_NOT_FOUND = 10_059  # it is created with the first MQTT connection

T = TypeVar("T")


class _Error(msgspec.Struct, frozen=True):
    err_code: int = 0
    description: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error | None = None


_refusals = msgspec.json.Decoder(_Refusal)


async def call(
    connection: Any,
    name: str,
    body: dict[str, Any],
    answers: "msgspec.json.Decoder[T]",
    fine: Collection[int] = (),
) -> T | None:
    """The answer to a call (`CONSUMER.NAMES.$MQTT_msgs`); None if it is refused with one of the
    codes in `fine`. asyncio-flavored.

    Raises:
        Unavailable: it is refused for another reason.
        nats.errors.Error, TimeoutError, OSError: the broker does not answer.
        BadPayload: it does not answer as documented.
    """
    reply = await connection.request(f"$JS.API.{name}", codec.encode(body), timeout=TIMEOUT_S)
    error = codec.decode_as(_refusals, reply.data).error
    if error is None:
        return codec.decode_as(answers, reply.data)
    if error.err_code in fine:
        return None
    raise Unavailable(f"the broker refuses {name}: {error.description[:200]}")
