"""Commands to devices: their life cycle as pure functions (CONTRACT §1, §2).

    queued → sent → delivered → succeeded | failed
    queued | sent → expired | cancelled

`sent`: the broker has it. Only the device's answers make it `delivered`, `succeeded` or `failed`. A
command is published again until the device answers or it expires; the device recognises a repeated
command by its `id`. Times are µs since 1970.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from protocol import codec
from protocol.problems.coded import CodedView, code_of
from protocol.problems.detail import Detail
from protocol.rest.patterns import COMMAND_TYPE
from protocol.times import SECOND_US, format_us
from protocol.views import view_of

QUEUED, SENT, DELIVERED = "queued", "sent", "delivered"
SUCCEEDED, FAILED, EXPIRED, CANCELLED = "succeeded", "failed", "expired", "cancelled"
OPEN = (QUEUED, SENT)  # not yet answered by the device
ENDED = (SUCCEEDED, FAILED, EXPIRED, CANCELLED)
STATES = (*OPEN, DELIVERED, *ENDED)

# The first retry leaves time for an answer over a slow line; later ones come every five minutes. A
# device that comes online is tried at once.
AGAIN_FIRST_S = 5
AGAIN_MAX_S = 300
# A command behind another of its device is checked again this often, and when that one ends.
BLOCKED_AGAIN_S = 5
# No try is planned further ahead. One that is means that the clock was set back: it is due.
NEXT_MAX_US = (AGAIN_MAX_S + 10) * SECOND_US
TTL_DEFAULT_S = 3_600
TTL_MAX_S = 30 * 24 * 3_600
KEPT_DAYS = 90  # from its creation, once it has ended
PAYLOAD_BYTES_MAX = 32 * 1024  # leaves room for the rest within a device's 64 KiB
RESULT_BYTES_MAX = 16 * 1024
DETAIL_MAX = 1_024


# A command's user and its id: clients choose ids, so two users may have the same one.
CommandKey = tuple[str, str]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A stored command. `payload` and `result` are JSON texts.

    `parallel`: it waits for no other command of its device, and none waits for it. `next_try_us`:
    when an open command is claimed next, never after its expiry. `version` grows with every change
    of its state. `coded`: see `protocol.problems.detail`; None where `detail` is the device's.
    """

    id: str
    user_id: str
    device_id: str
    device_num: int
    device_code: str
    type: str
    payload: str
    state: str = QUEUED
    parallel: bool = False
    created_us: int
    expires_us: int
    next_try_us: int
    attempts: int = 0
    sent_us: int | None = None
    delivered_us: int | None = None
    finished_us: int | None = None
    detail: str = ""
    coded: str | None = None
    result: str | None = None
    version: int = 0
    num: int = 0

    @property
    def key(self) -> CommandKey:
        return self.user_id, self.id


AckStatus = Literal["delivered", "succeeded", "failed"]


class CommandAck(msgspec.Struct, frozen=True, kw_only=True):
    """A device's answer to a command; `at_us` by the device's clock, else the time of arrival."""

    status: AckStatus
    at_us: int
    detail: str = ""
    result: str | None = None


def acked(command: Command, ack: CommandAck) -> Command:
    """The command after an answer of its device. Answers may come in any order and repeatedly.

    An answer also corrects an expiry, which only means that none arrived in time. A cancelled
    command stays cancelled, with the times that the device reported.
    """
    delivered_us = _earliest(command.delivered_us, ack.at_us)
    command = msgspec.structs.replace(
        command, delivered_us=delivered_us, version=command.version + 1
    )
    if command.state in (SUCCEEDED, FAILED):
        return command
    if ack.status == DELIVERED:
        state = DELIVERED if command.state != CANCELLED else CANCELLED
        stays = not ack.detail and command.state != EXPIRED
        finished_us = None if state == DELIVERED else command.finished_us
        return msgspec.structs.replace(
            command,
            state=state,
            finished_us=finished_us,
            detail=command.detail if stays else ack.detail,
            coded=command.coded if stays else None,
        )
    return msgspec.structs.replace(
        command,
        state=CANCELLED if command.state == CANCELLED else ack.status,
        finished_us=ack.at_us,
        detail=ack.detail,
        coded=None,
        result=ack.result,
    )


def _earliest(known: int | None, at_us: int) -> int:
    return at_us if known is None else min(known, at_us)


def tried(command: Command, *, blocked: bool, now_us: int) -> Command:
    """An open command after a claim: to be sent (again), waiting behind another, or expired."""
    if command.expires_us <= now_us:
        why = Detail("command_unanswered" if command.attempts else "command_never_sent")
        return ended(command, EXPIRED, now_us, why)
    pause_s = BLOCKED_AGAIN_S if blocked else again_s(command.attempts)
    return msgspec.structs.replace(
        command,
        attempts=command.attempts + (not blocked),
        next_try_us=min(now_us + pause_s * SECOND_US, command.expires_us),
    )


def ended(command: Command, state: str, now_us: int, why: Detail) -> Command:
    """The command, ended by Roost and not by the device's answer."""
    return msgspec.structs.replace(
        command,
        state=state,
        finished_us=now_us,
        detail=str(why),
        coded=why.coded,
        version=command.version + 1,
    )


def noted_as_sent(command: Command, at_us: int, version: int) -> Command:
    """The command, once the broker has it; `version` is its next version."""
    return msgspec.structs.replace(command, state=SENT, sent_us=at_us, version=version)


def again_s(attempts: int) -> int:
    """The pause (seconds) after a try, when `attempts` were made before it."""
    return min(AGAIN_FIRST_S << min(attempts, 10), AGAIN_MAX_S)


def firsts_of(limit: int) -> int:
    """How many commands of a claim may be new ones: four of five, so that retries get a share."""
    return -(-limit * 4 // 5)


def message(command: Command) -> bytes:
    """The payload that the device receives (CONTRACT §1)."""
    said = {
        "type": command.type,
        "id": command.id,
        "payload": msgspec.Raw(command.payload.encode()),
        "expires_at": format_us(command.expires_us),
    }
    return codec.encode(said)


# REST


class NewCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id`: chosen by the client, so that a repeated request creates one command. `parallel`: it
    does not wait for earlier commands of the device, nor do later ones wait for it."""

    type: Annotated[str, Meta(min_length=1, max_length=64, pattern=COMMAND_TYPE)]
    payload: Any = None
    ttl_s: Annotated[int, Meta(ge=1, le=TTL_MAX_S)] = TTL_DEFAULT_S
    parallel: bool = False
    id: Annotated[str, Meta(extra_json_schema={"format": "uuid"})] | None = None


class CommandView(CodedView, frozen=True, kw_only=True):
    id: str
    device_id: str
    type: str
    payload: msgspec.Raw
    state: str
    parallel: bool
    attempts: int
    created_at: str
    expires_at: str
    sent_at: str | None
    delivered_at: str | None
    finished_at: str | None
    detail: str
    result: msgspec.Raw | None


def command_view(command: Command) -> CommandView:
    return view_of(
        CommandView,
        command,
        payload=msgspec.Raw(command.payload.encode()),
        result=None if command.result is None else msgspec.Raw(command.result.encode()),
        **code_of(command.coded),
    )
