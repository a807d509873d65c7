"""Webhooks and their deliveries: records, events, and a pure life cycle (CONTRACT §2).

    pending → delivered | dead,  any state → pending (on request)

A delivery is one event for one webhook. It is tried until the receiver answers 2xx, with growing
pauses, for three days. Then it is dead, and kept for inspection. Times are µs since 1970.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from protocol import codec
from protocol.device.alarms import ACKNOWLEDGED, ACTIVE, CLEARED, Alarm, alarm_view
from protocol.device.commands import ENDED, Command, command_view
from protocol.problems.detail import Detail
from protocol.schedule.schedules import FAILED, MISSED, Occurrence, occurrence_view
from protocol.times import SECOND_US, format_us

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"

EventType = Literal[
    "alarm.raised",
    "alarm.acknowledged",
    "alarm.cleared",
    "command.succeeded",
    "command.failed",
    "command.expired",
    "command.cancelled",
    "schedule.missed",
    "schedule.failed",
]
EVENTS: tuple[str, ...] = get_args(EventType)
TEST = "webhook.test"

WEBHOOKS_MAX = 20  # per user
WAITING_MAX = 10_000  # pending deliveries of a webhook; further events are dropped and counted
ANSWER_WITHIN_S = 10.0
DELIVERED_KEPT_DAYS = 7
DEAD_KEPT_DAYS = 30

# A claim is a lease until the next try is due; a try ends well before that.
AGAIN_FIRST_S = 30
AGAIN_MAX_S = 6 * 3_600
GIVE_UP_S = 3 * 24 * 3_600
# After a failure all deliveries of the webhook pause.
PAUSE_FIRST_S = 1
PAUSE_MAX_S = 300
# No try is planned further ahead. One that is means that the clock was set back: it is due.
NEXT_MAX_US = (AGAIN_MAX_S + 10) * SECOND_US

DETAIL_MAX = 500
GONE = 410  # the receiver wants no more deliveries (RFC 9110 §15.5.11)

_NAMESPACE = uuid.UUID("b5f3c6be-7cc7-5a0d-9d1c-3f2f6f6c7a51")
_OF_ALARM = {
    ACTIVE: "alarm.raised",
    ACKNOWLEDGED: "alarm.acknowledged",
    CLEARED: "alarm.cleared",
}
_OF_OCCURRENCE = {MISSED: "schedule.missed", FAILED: "schedule.failed"}


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that receives a user's events of the types `events`, signed by `secret`.

    `failures`: consecutive failed tries; `paused_us`: nothing is tried until then; `dropped`:
    events for which there was no room.
    """

    id: str
    user_id: str
    url: str
    events: tuple[str, ...]
    secret: str
    description: str = ""
    enabled: bool = True
    created_us: int
    failures: int = 0
    paused_us: int | None = None
    dropped: int = 0
    revision: int = 1
    num: int = 0


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one webhook.

    `body` is sent unchanged at every try. A receiver recognises a repeated event by `event_id`.
    `next_try_us` is 0 before the first try. `coded`: see `protocol.problems.detail`; None where
    `detail` is the receiver's.
    """

    id: str
    webhook_num: int
    event_id: str
    type: str
    body: str
    state: str = PENDING
    created_us: int
    next_try_us: int
    attempts: int = 0
    last_status: int | None = None
    detail: str = ""
    coded: str | None = None
    finished_us: int | None = None
    num: int = 0


class ClaimedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed delivery, with everything needed to send it."""

    delivery: WebhookDelivery
    user_id: str
    url: str
    secret: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a try: the receiver's HTTP status, or None. `detail` is what the receiver said,
    or the English text of `why`."""

    status: int | None = None
    detail: str = ""
    why: Detail | None = None

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def failed(why: Detail, status: int | None = None) -> Outcome:
    """A try that failed for a reason that Roost says."""
    return Outcome(status=status, detail=str(why), why=why)


class News(msgspec.Struct, frozen=True, kw_only=True):
    """An event for webhooks. Its `event_id` is derived from what happened, so it is sent once."""

    user_id: str
    type: str
    event_id: str
    at_us: int
    data: Any

    @property
    def body(self) -> str:
        said = {"type": self.type, "timestamp": format_us(self.at_us), "data": self.data}
        return codec.encode(said).decode()


def news_of(
    now_us: int,
    *,
    alarms: Sequence[Alarm] = (),
    commands: Sequence[Command] = (),
    occurrences: Sequence[Occurrence] = (),
) -> list[News]:
    """The events for the given changed records."""
    found = []
    for alarm in alarms:
        if alarm.state in _OF_ALARM:
            at_us = alarm.cleared_us or alarm.acknowledged_us or alarm.raised_us or now_us
            kind = _OF_ALARM[alarm.state]
            # The actor that clears an alarm does not know who has seen it: this one was
            # acknowledged after it cleared.
            if alarm.state == CLEARED and alarm.acknowledged_us is not None:
                at_us, kind = alarm.acknowledged_us, _OF_ALARM[ACKNOWLEDGED]
            found.append(_news(alarm.user_id, kind, alarm.id, at_us, alarm_view(alarm)))
    for command in commands:
        if command.state in ENDED:
            at_us = command.finished_us or now_us
            kind = f"command.{command.state}"
            found.append(_news(command.user_id, kind, command.id, at_us, command_view(command)))
    for occurrence in occurrences:
        if occurrence.state in _OF_OCCURRENCE:
            kind, data = _OF_OCCURRENCE[occurrence.state], occurrence_view(occurrence)
            found.append(_news(occurrence.user_id, kind, occurrence.id, now_us, data))
    return found


def _news(user_id: str, kind: str, subject: str, at_us: int, data: Any) -> News:
    event_id = str(uuid.uuid5(_NAMESPACE, f"{kind}:{subject}"))
    return News(user_id=user_id, type=kind, event_id=event_id, at_us=at_us, data=data)


def trial_news(webhook: Webhook, event_id: str, now_us: int) -> News:
    """A test event."""
    data = {"webhook_id": webhook.id}
    return News(user_id=webhook.user_id, type=TEST, event_id=event_id, at_us=now_us, data=data)


def claimed(delivery: WebhookDelivery, now_us: int) -> WebhookDelivery:
    """The delivery after a claim at `now_us`. It is due again later, in case this try's result is
    never stored."""
    pause_s = min(AGAIN_FIRST_S << min(delivery.attempts, 20), AGAIN_MAX_S)
    return msgspec.structs.replace(
        delivery, attempts=delivery.attempts + 1, next_try_us=now_us + pause_s * SECOND_US
    )


def tried(delivery: WebhookDelivery, outcome: Outcome, now_us: int) -> WebhookDelivery:
    """The claimed delivery after a try. Its next due time was set by `claimed`."""
    delivery = msgspec.structs.replace(
        delivery,
        last_status=outcome.status,
        detail=outcome.detail[:DETAIL_MAX],
        coded=None if outcome.why is None else outcome.why.coded,
    )
    if outcome.is_good:
        return msgspec.structs.replace(delivery, state=DELIVERED, finished_us=now_us)
    if outcome.status == GONE or now_us - delivery.created_us >= GIVE_UP_S * SECOND_US:
        return msgspec.structs.replace(delivery, state=DEAD, finished_us=now_us)
    return delivery


def again(delivery: WebhookDelivery, now_us: int) -> WebhookDelivery:
    """The delivery, pending again for another three days, at its user's request."""
    return msgspec.structs.replace(
        delivery,
        state=PENDING,
        attempts=0,
        created_us=now_us,
        next_try_us=now_us,
        finished_us=None,
    )


def after_try(failures: int, outcome: Outcome, now_us: int) -> tuple[int, int | None]:
    """The webhook's consecutive failures after one more try, and until when (µs) it pauses.

    After a failure it pauses, longer each time.
    """
    if outcome.is_good:
        return 0, None
    pause_s = min(PAUSE_FIRST_S << min(failures, 20), PAUSE_MAX_S)
    return failures + 1, now_us + pause_s * SECOND_US
