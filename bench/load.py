"""QoS 1 messages over four connections, each in a separate process, until all are acknowledged."""

import multiprocessing
from collections.abc import Callable, Sequence

from tests.support import wire

PUBLISHERS = 4

# The payload of message n of publisher k.
Payload = Callable[[int, int], bytes]


def publish(
    port: int, password: str, topics: Sequence[str], messages: int, payload: Payload
) -> int:
    """Topics take turns; each belongs to one publisher. Returns how many were sent."""
    each = messages // PUBLISHERS
    publishers = [
        multiprocessing.Process(
            target=_publish, args=(k, port, password, topics[k::PUBLISHERS], each, payload)
        )
        for k in range(PUBLISHERS)
    ]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
        if publisher.exitcode:
            raise RuntimeError("a publisher failed")
    return each * PUBLISHERS


def _publish(
    k: int, port: int, password: str, topics: Sequence[str], count: int, payload: Payload
) -> None:
    line = wire.connect("127.0.0.1", port, f"bench-{k}", "roost", password)
    messages = ((topics[n % len(topics)], payload(n, k)) for n in range(count))
    answered = wire.publish_all(line, messages)
    assert answered == count, (answered, count)
