"""Several publications, each with its own fate."""

from collections.abc import Sequence

from actors.ports.broker import Broker, Publication
from actors.runtime.isolation import Failed, attempt_each
from protocol.errors import Unpublishable


async def publish_each(broker: Broker, messages: Sequence[Publication]) -> list[bool | Failed]:
    """For each message whether the broker took it, or why it will not take it."""
    answers = await attempt_each(messages, broker.publish)
    return [Failed(each) if isinstance(each, Unpublishable) else each for each in answers]
