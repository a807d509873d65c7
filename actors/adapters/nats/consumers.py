"""What the embedded broker holds for our sessions, according to its JetStream consumers.

Each QoS 1 subscription of ours is a consumer of the stream of MQTT messages; its filter shows which
session it belongs to. Requests: docs.nats.io, "JetStream wire API", CONSUMER.LIST and
CONSUMER.INFO; guarded by `tests/real/test_nats_facts.py`.
"""

from collections.abc import Sequence
from typing import Any

import nats.errors

from actors.adapters.asyncio_bridge import Bridge
from actors.ports.broker import SessionPlan
from protocol import codec
from protocol.errors import Unavailable, in_words

STREAM = "$MQTT_msgs"
PREFIX = "$MQTT.msgs."
TIMEOUT_S = 2.0
# The maximum number of consumers (`roost.embedded.broker`), 256 per page.
PAGES_MAX = 64


class NatsConsumers:
    """`actors.ports.broker_backlog.BrokerBacklog` on a connection in the account of MQTT."""

    def __init__(self, bridge: Bridge, connection: Any, plans: Sequence[SessionPlan]) -> None:
        self._bridge = bridge
        self._connection = connection
        self._subjects = {_subject(each): plan.client_id for plan in plans for each in plan.filters}
        self._names: dict[str, str] = {}  # the session of each consumer

    async def waiting(self) -> dict[str, int]:
        """By session, messages that are not delivered to us or not acknowledged by us.

        Raises:
            Unavailable: the broker does not answer.
        """
        try:
            return await self._bridge.run(self._ask)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(
                f"the broker does not tell what it holds: {in_words(error)}"
            ) from error

    async def _ask(self) -> dict[str, int]:
        if len(self._names) < len(self._subjects):
            await self._find()
        waiting = dict.fromkeys(sorted(self._names.values()), 0)
        for name, session in list(self._names.items()):
            found = await self._request(f"$JS.API.CONSUMER.INFO.{STREAM}.{name}", {})
            if "error" in found:  # its session was created again, with another name
                del self._names[name]
                continue
            waiting[session] += found["num_pending"] + found["num_ack_pending"]
        return waiting

    async def _find(self) -> None:
        offset = 0
        for _ in range(PAGES_MAX):
            found = await self._request(f"$JS.API.CONSUMER.LIST.{STREAM}", {"offset": offset})
            consumers = found.get("consumers") or []
            for each in consumers:
                session = self._subjects.get(each["config"].get("filter_subject", ""))
                if session is not None:
                    self._names[each["name"]] = session
            offset += len(consumers)
            if not consumers or offset >= found["total"]:
                return

    async def _request(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._connection.request(subject, codec.encode(body), timeout=TIMEOUT_S)
        found: dict[str, Any] = codec.decode(answer.data)
        return found


def _subject(topic_filter: str) -> str:
    """The stream's subject for a filter of ours: `+` is `*`, `#` is `>`."""
    levels = [{"+": "*", "#": ">"}.get(level, level) for level in topic_filter.split("/")]
    return PREFIX + ".".join(levels)
