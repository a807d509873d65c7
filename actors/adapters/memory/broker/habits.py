"""What differs between brokers.

Each habit is pinned by a test against the real one (`tests/contract/test_broker_habits.py`).
"""

import msgspec


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between brokers; what all do is not here.

    Attributes:
        partitions: into how many it maps devices' messages (wills are not mapped); 0: it cannot
            map.
        ack_wait_s: an unacknowledged message is sent again this long after its last delivery, on
            the same connection too, and newer ones overtake it; the clock also runs while the
            session is away. None: everything is sent again at once and in order on a new
            connection, and only then.
        window: QoS 1 messages in flight in one session, at first.
        window_holds: an acknowledgement lets one more message in. Otherwise it lets in as many as
            there would be room for if everything from it on were gone (Mosquitto 2.0.11): a client
            that acknowledges the oldest first may get all that waits.
        packet_ids: how many there are before they are used again.
        keeps_ids: packet ids outlive the broker's process; otherwise they start again at 1.
        saved_after_s: a kill loses nothing that happened this long before it.
        kill_loses: a kill also loses messages and sessions, not only acknowledgements.
        stop_sends_wills: an orderly stop publishes the wills of connected devices.
        retained_again: a retained copy without PUBACK is sent again, beside a new copy.
    """

    partitions: int
    ack_wait_s: float | None
    window: int
    window_holds: bool
    packet_ids: int = 65_535
    keeps_ids: bool
    saved_after_s: float
    kill_loses: bool
    stop_sends_wills: bool
    retained_again: bool

    @property
    def at_once(self) -> bool:
        """Whether all unacknowledged messages come first on a new connection."""
        return self.ack_wait_s is None


NATS = Habits(
    partitions=4,
    ack_wait_s=5.0,
    window=10_000,
    window_holds=True,
    keeps_ids=False,
    saved_after_s=0.1,
    kill_loses=False,
    stop_sends_wills=False,
    retained_again=False,
)
MOSQUITTO_5 = Habits(
    partitions=0,
    ack_wait_s=None,
    window=10_000,  # what we announce (`RECEIVE_MAXIMUM`), not its own max_inflight_messages
    window_holds=False,
    keeps_ids=True,
    saved_after_s=5.0,  # autosave_interval
    kill_loses=True,
    stop_sends_wills=True,
    retained_again=True,
)
MOSQUITTO_311 = msgspec.structs.replace(MOSQUITTO_5, window=1_000)
