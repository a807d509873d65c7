"""Dead letters: work that fails for what it contains, put aside so that it holds up nothing else.

`work` names the kind of work ("plans", "commands", …), `subject` the row, bucket, device or user
that it fails for. A dead letter is tried again with growing pauses, and goes when a try succeeds.
"""

import re

import msgspec

from protocol.errors import in_words
from protocol.ids import is_uuid
from protocol.times import SECOND_US

# Kinds of work. `ROWS` are rows that no list or snapshot can show, `HISTORY` feeds whose old
# readings cannot be deleted, `SESSIONS` commits of which nobody can read what a session took: what
# the broker sends again of them may be taken twice.
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
KINDS = (
    *(PLANS, OCCURRENCES, COMMANDS, WEBHOOKS, DEVICES, LISTENERS, ROLLUPS, MEDIA, ROWS),
    *(HISTORY, SESSIONS),
)
# Their subject is the id of a row that has a due time of its own.
OWN_ROW = (PLANS, OCCURRENCES, COMMANDS, WEBHOOKS)

# Of one kind of work: some 10 MB in the database at most.
KEPT_MAX = 10_000
WORK_MAX = 40
SUBJECT_MAX = 300
REASON_MAX = 300
DETAIL_MAX = 2_000

PAUSE_FIRST_S = 10
PAUSE_MAX_S = 3_600
PAUSE_MAX_US = PAUSE_MAX_S * SECOND_US
# 10 s doubled nine times is more than an hour.
DOUBLED_MAX = 9


USER_SUMS = "user "
INT32_MAX = 2**31 - 1
_MINUTE_OF_FEED = re.compile(r"([0-9]{1,10})/(-?[0-9]{1,10})", re.ASCII)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as it is stored. `reason` is one line; `detail` may be longer."""

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
    """How long after the n-th failed attempt (from 1) the next one comes."""
    return min(PAUSE_FIRST_S << min(attempts - 1, DOUBLED_MAX), PAUSE_MAX_S) * SECOND_US


def subject_of_row(noun: str, num: int) -> str:
    """Of `ROWS`: the list that leaves it out, and the number of the row."""
    return f"{noun} {num}"


def row_of(subject: str) -> tuple[str, int]:
    """The other way round."""
    noun, _, num = subject.rpartition(" ")
    return noun, int(num)


def rollup_of(subject: str) -> tuple[int, int] | str | None:
    """Of `ROLLUPS`: a feed and a minute since 1970, or a user; None for a subject that is neither,
    which only a hand can have written."""
    if subject.startswith(USER_SUMS):
        user_id = subject.removeprefix(USER_SUMS)
        return user_id if is_uuid(user_id) else None
    found = _MINUTE_OF_FEED.fullmatch(subject)
    if found is None:
        return None
    feed_num, minute = int(found[1]), int(found[2])
    return (feed_num, minute) if feed_num <= INT32_MAX >= abs(minute) else None


def is_due(letter: DeadLetter, now_us: int) -> bool:
    """Further away than any pause is due, too: the clock was set back."""
    return not now_us < letter.next_try_us <= now_us + PAUSE_MAX_US


def line(text: str) -> str:
    """One line for `reason`: readable, storable and not too long."""
    return storable(" ".join(text.split()), REASON_MAX)


def reason_of(error: BaseException) -> str:
    """What an error says, for `reason`."""
    return line(in_words(error))


def storable(text: str, length_max: int) -> str:
    """Without what PostgreSQL's text cannot hold: NUL and lone surrogates."""
    clean = text[:length_max].encode(errors="replace").decode().replace("\0", "?")
    return clean if len(text) <= length_max else clean[:-1] + "…"
