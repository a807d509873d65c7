"""In what the brokers differ, as measured: `test_broker_habits.py` holds each to its habits."""

import msgspec

from actors.adapters.mqtt.link import RECEIVE_MAXIMUM

# How often the Mosquitto of these tests saves. It loses more by a kill the longer that is; nothing
# else depends on it.
AUTOSAVE_S = 1


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What one broker does and another does not; what all do is no habit.

    Attributes:
        ack_wait_s: an unacknowledged message comes again so long after its last delivery, on the
            same connection too; None: only on a new connection.
        at_once: on a new connection all unacknowledged messages come at once, before newer ones.
        window: QoS 1 messages in flight in one session, at first.
        window_holds: an acknowledgement lets one more in. Otherwise it lets in as many as there
            would be room for if everything from it on were gone (Mosquitto 2.0.11): who
            acknowledges the oldest first may get all that waits.
        keeps_ids: packet ids outlive the broker's process; otherwise they start again at 1.
        saved_after_s: a kill takes back nothing that happened so long before it.
        kill_loses: it takes back messages, too, and sessions; not only acknowledgements.
        stop_sends_wills: an orderly stop sends the wills of the devices that are connected.
        retained_again: a retained copy without PUBACK comes again, beside a new copy.
    """

    ack_wait_s: float | None
    at_once: bool
    window: int
    window_holds: bool
    keeps_ids: bool
    saved_after_s: float
    kill_loses: bool
    stop_sends_wills: bool
    retained_again: bool


NATS = Habits(
    ack_wait_s=5.0,
    at_once=False,
    window=10_000,
    window_holds=True,
    keeps_ids=False,
    saved_after_s=1.0,  # a tenth of that was measured
    kill_loses=False,
    stop_sends_wills=False,
    retained_again=False,
)
MOSQUITTO_5 = Habits(
    ack_wait_s=None,
    at_once=True,
    window=RECEIVE_MAXIMUM,  # ours counts here, not the broker's max_inflight_messages
    window_holds=False,
    keeps_ids=True,
    saved_after_s=AUTOSAVE_S + 2.0,
    kill_loses=True,
    stop_sends_wills=True,
    retained_again=True,
)
MOSQUITTO_311 = msgspec.structs.replace(MOSQUITTO_5, window=1_000)
