"""PUBLISH at QoS 1 as most brokers send it, taken apart at once (MQTT 5.0 §3.3, 3.1.1 §3.3).

gmqtt builds a format, a dictionary of properties and two copies for each packet: a tenth of what a
reading costs. Whatever is not plain (another QoS, properties, an alias for a topic, something
malformed) goes to gmqtt as before.
"""

from collections.abc import Callable

# mid, payload, topic, dup, retain
Deliver = Callable[[int, bytes, str, bool, bool], None]

_QOS, _QOS_1, _DUP, _RETAIN = 0x06, 0x02, 0x08, 0x01


def take_apart(command: int, packet: bytes, *, has_properties: bool, deliver: Deliver) -> bool:
    """Deliver a plain one. False where it is not: then nothing has been done.

    Args:
        command: the first byte of the packet.
        packet: what follows its length.
        has_properties: MQTT 5 has their length in front of the payload.
    """
    if command & _QOS != _QOS_1 or len(packet) < 2:
        return False
    topic_ends = 2 + int.from_bytes(packet[:2])
    begins = topic_ends + 2
    if topic_ends == 2 or len(packet) < begins + has_properties:
        return False
    if has_properties:
        if packet[begins]:
            return False
        begins += 1
    try:
        topic = packet[2:topic_ends].decode()
    except UnicodeDecodeError:
        return False
    packet_id = int.from_bytes(packet[topic_ends : topic_ends + 2])
    is_again, is_retained = bool(command & _DUP), bool(command & _RETAIN)
    deliver(packet_id, packet[begins:], topic, is_again, is_retained)
    return True
