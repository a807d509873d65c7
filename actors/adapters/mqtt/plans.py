"""The sessions that receive devices' messages, for brokers that map topics and for others."""

from actors.ports.broker import SessionPlan
from protocol.device.topics import Kind

OUT = "roost-out"
OTHERS = "roost-others"
# Topics of devices.
FEED_TOPICS = ("users/+/devices/+/feeds", "users/+/devices/+/feeds/+")
STATE_TOPICS = ("users/+/devices/+/status", "users/+/devices/+/commands/+/ack")
# `max_inflight_messages 1000`, as README recommends for Mosquitto.
PLAIN_WINDOW = 1_000


def partition_plans(partitions: int, out: str = OUT) -> list[SessionPlan]:
    """Sessions for a broker that maps devices' topics to `part/K/…` and `state/K/…` (NATS)."""
    plans = [
        SessionPlan(
            client_id=f"roost-part-{k}", filters=(f"part/{k}/#",), sends_again=True, partition=k
        )
        for k in range(partitions)
    ]
    plans += [
        SessionPlan(
            client_id=f"roost-state-{k}",
            filters=(f"state/{k}/#",),
            live=True,
            sends_again=True,
            partition=k,
        )
        for k in range(partitions)
    ]
    # Unmapped messages: wills, and messages in one read with a CONNECT.
    wills = SessionPlan(
        client_id="roost-wills",
        filters=(*FEED_TOPICS, *STATE_TOPICS),
        kinds=(Kind.READING, Kind.READINGS, Kind.STATUS, Kind.ACK),
        live=True,
        sends_again=True,
    )
    # Wrong topics; its filter also takes wills, and commands and errors of our own.
    others = SessionPlan(
        client_id=OTHERS, filters=("users/+/devices/+/#",), kinds=(Kind.OTHER,), sends_again=True
    )
    return [*plans, wills, others, _out_plan(out)]


def plain_plans(out: str = OUT, *, is_seen: bool = True) -> list[SessionPlan]:
    """Sessions for a broker that cannot map: one partition over everything.

    No two filters of a session overlap, because the broker may deliver a message for each of them.
    Readings come through one session only. It also brings wrong topics, except the bare prefix, and
    copies of status messages, which are rarer.

    Args:
        is_seen: whether others may subscribe to what devices retain.
    """
    return [
        SessionPlan(
            client_id="roost-part-0",
            filters=("users/+/devices/+/+", "users/+/devices/+/+/+/#"),
            former=FEED_TOPICS,
            kinds=(Kind.READING, Kind.READINGS, Kind.OTHER),
            partition=0,
            window=PLAIN_WINDOW,
            is_seen=is_seen,
        ),
        SessionPlan(
            client_id="roost-state-0",
            filters=STATE_TOPICS,
            kinds=(Kind.STATUS, Kind.ACK),
            live=True,
            partition=0,
            window=PLAIN_WINDOW,
            is_seen=is_seen,
        ),
        SessionPlan(
            client_id=OTHERS,
            filters=("users/+/devices/+",),
            former=("users/+/devices/+/+",),
            kinds=(Kind.OTHER,),
            window=PLAIN_WINDOW,
            is_seen=is_seen,
        ),
        _out_plan(out),
    ]


def _out_plan(client_id: str) -> SessionPlan:
    """A session of this process alone that only publishes."""
    return SessionPlan(client_id=client_id, filters=(), persistent=False)
