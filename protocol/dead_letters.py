"""Dead letters: work that fails because of its content, put aside so that other work continues.

`work` names the kind of work ("plans", "commands", …), `subject` the row, bucket, device or user
for which it fails. A dead letter is retried with growing pauses, and deleted when a retry succeeds.
"""

import re

import msgspec

from protocol.errors import in_words
from protocol.ids import is_uuid
from protocol.times import SECOND_US

# Kinds of work. `ROWS`: rows that no list or snapshot can show. `HISTORY`: feeds whose expired
# readings cannot be deleted. `SESSIONS`: commits whose digests of a session's
# messages cannot be read; redeliveries of these may be stored twice. `ERASURES`: accounts that
# cannot be erased.
PLANS = "plans"
OCCURRENCES = "occurrences"
COMMANDS = "commands"
WEBHOOKS = "webhooks"
DEVICES = "devices"
LISTENERS = "listeners"
ROLLUPS = "rollups"
MEDIA = "media"
ROWS = "rows"
HISTORY = "history"
SESSIONS = "sessions"
ERASURES = "erasures"
KINDS = (
    *(PLANS, OCCURRENCES, COMMANDS, WEBHOOKS, DEVICES, LISTENERS, ROLLUPS, MEDIA, ROWS),
    *(HISTORY, SESSIONS, ERASURES),
)
# The subject of these is a row that has its own due time: its id, or the key of a command.
OWN_ROW = (PLANS, OCCURRENCES, COMMANDS, WEBHOOKS)

# Per kind of work: at most some 10 MB in the database.
KEPT_MAX = 10_000
WORK_MAX = 40
SUBJECT_MAX = 300
REASON_MAX = 300
DETAIL_MAX = 2_000

PAUSE_FIRST_S = 10
PAUSE_MAX_S = 3_600
PAUSE_MAX_US = PAUSE_MAX_S * SECOND_US
# 10 s doubled nine times is more than an hour, so more would only overflow.
DOUBLED_MAX = 9


USER_SUMS = "user "
INT32_MAX = 2**31 - 1
_MINUTE_OF_FEED = re.compile(r"([0-9]{1,10})/(-?[0-9]{1,10})", re.ASCII)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as it is stored. `reason` is one line; `detail` may be longer."""

    id: str
    work: str
    subject: str
    user_id: str | None
    reason: str
    detail: str
    attempts: int
    first_us: int
    last_us: int
    next_try_us: int


def pause_us(attempts: int) -> int:
    """The pause (µs) after the n-th failed attempt, counted from 1."""
    return min(PAUSE_FIRST_S << min(attempts - 1, DOUBLED_MAX), PAUSE_MAX_S) * SECOND_US


def subject_of_row(noun: str, num: int) -> str:
    """The subject of a `ROWS` letter: the list that omits the row, and the row's number."""
    return f"{noun} {num}"


def subject_of_command(key: tuple[str, str]) -> str:
    """The subject of a `COMMANDS` letter: a command's id is unique for its user only."""
    return "/".join(key)


def command_key_of(subject: str) -> tuple[str, str]:
    """The inverse of `subject_of_command`."""
    user_id, _, command_id = subject.partition("/")
    return user_id, command_id


def row_of(subject: str) -> tuple[str, int]:
    """The list and the row number of a `ROWS` subject; the inverse of `subject_of_row`."""
    noun, _, num = subject.rpartition(" ")
    return noun, int(num)


def rollup_of(subject: str) -> tuple[int, int] | str | None:
    """What a `ROLLUPS` subject names: (feed number, minute since 1970), or a user id.

    None if it is neither, which only a manual edit of the table can cause.
    """
    if subject.startswith(USER_SUMS):
        user_id = subject.removeprefix(USER_SUMS)
        return user_id if is_uuid(user_id) else None
    found = _MINUTE_OF_FEED.fullmatch(subject)
    if found is None:
        return None
    feed_num, minute = int(found[1]), int(found[2])
    return (feed_num, minute) if feed_num <= INT32_MAX >= abs(minute) else None


def is_due(letter: DeadLetter, now_us: int) -> bool:
    """Whether to retry now. A time beyond the longest pause means that the clock was set back."""
    return not now_us < letter.next_try_us <= now_us + PAUSE_MAX_US


def line(text: str) -> str:
    """The text as one storable line of at most `REASON_MAX` characters."""
    return storable(" ".join(text.split()), REASON_MAX)


def reason_of(error: BaseException) -> str:
    """An error as a `reason`."""
    return line(in_words(error))


def storable(text: str, length_max: int) -> str:
    """The text, cut to a length, without what PostgreSQL cannot hold (NUL, lone surrogates)."""
    clean = text[:length_max].encode(errors="replace").decode().replace("\0", "?")
    return clean if len(text) <= length_max else clean[:-1] + "…"
