"""A strict parser of recurrence rules (RFC 5545 §3.3.10).

`dateutil` accepts more than the RFC allows, and ignores parts that it does not know. A schedule
that fires at unintended times is worse than an error, so rules are parsed here.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum
from functools import lru_cache, partial

import msgspec

from protocol.errors import BadRecurrence
from protocol.problems.detail import Detail
from protocol.times import SECOND_US

TEXT_MAX = 500  # characters; a rule with every part and usual values has about 400
COUNT_MAX = 10_000  # 27 years of every day; a search walks through all of them
DAY_US = 86_400 * SECOND_US

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_CHARACTERS = re.compile(r"[A-Z0-9=;,+-]+")
_UNTIL = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_NUMBER = re.compile(r"[+-]?\d{1,9}")  # nine digits of minutes are 1,900 years
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")

# Further lines and parts that calendars write beside a rule, and the codes of where they belong
# here.
ELSEWHERE = {
    "DTSTART": "rule_start",
    "DTEND": "rule_end",
    "DURATION": "rule_duration",
    "TZID": "rule_zone",
    "EXDATE": "rule_exclusions",
    "EXRULE": "rule_exclusions",
    "RDATE": "rule_further_date",
    "RRULE": "rule_further_rule",
    "BEGIN": "rule_event",
}
_OTHER = re.compile(rf"(?:^|[\n;])({'|'.join(ELSEWHERE)})[:;=]")


class Freq(IntEnum):
    """How often a rule repeats; a smaller number is a longer period."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed rule. An empty tuple is a part that the rule does not have.

    `until_us` is an instant, `until_civil_us` a civil time of the rule's zone, in microseconds
    since 1970-01-01T00:00 there; both are inclusive, and at most one is set.
    """

    text: str
    freq: Freq
    interval: int = 1
    count: int | None = None
    until_us: int | None = None
    until_civil_us: int | None = None
    week_start: int = 0  # 0 is Monday, as in `date.weekday()`
    months: tuple[int, ...] = ()
    week_numbers: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()  # (weekday, n-th of its month or year, or 0: each)
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()


# By part: the field of `Rule`, its lowest and highest number; True: negative ones count from the
# end.
_LISTS = {
    "BYMONTH": ("months", 1, 12, False),
    "BYWEEKNO": ("week_numbers", 1, 53, True),
    "BYYEARDAY": ("year_days", 1, 366, True),
    "BYMONTHDAY": ("month_days", 1, 31, True),
    "BYHOUR": ("hours", 0, 23, False),
    "BYMINUTE": ("minutes", 0, 59, False),
    "BYSECOND": ("seconds", 0, 59, False),
    "BYSETPOS": ("positions", 1, 366, True),
}


def bad(detail: Detail) -> BadRecurrence:
    """The error for an invalid rule; `detail` reads on from the field's name."""
    return BadRecurrence("recurrence", detail)


@lru_cache(maxsize=1024)  # 1,024 rules of 500 characters and their parts take 3 MB
def parse(text: str) -> Rule:
    """Parse a rule, in upper or lower case, with or without `RRULE:`, line ends and a last `;`.

    `Rule.text` is the rule in capitals, without the prefix and redundant signs and zeros.

    Raises:
        BadRecurrence: field `recurrence`: RFC 5545 does not allow the rule, or it is not supported.
    """
    parts = _parts(text)
    fields: dict[str, object] = {}
    written = []
    for name, value in parts.items():
        read = _READERS.get(name)
        if read is None:
            raise bad(Detail("rule_part_unknown", part=name[:20]))
        more, normal = read(name, value)
        fields |= more
        written.append(f"{name}={normal}")
    rule = msgspec.convert({**fields, "text": ";".join(written)}, Rule, strict=True)
    _check_together(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    if len(text) > TEXT_MAX:
        raise bad(Detail("rule_too_long", most=TEXT_MAX))
    # Check first: upper() turns some other letters into ASCII.
    bare = _unfolded(text).upper() if text.isascii() else text
    bare = bare.removeprefix("RRULE:").rstrip("; ")
    if (first := _OTHER.search(bare)) is not None:
        raise bad(Detail(ELSEWHERE[first[1]], part=first[1]))
    if not _CHARACTERS.fullmatch(bare):
        raise bad(Detail("rule_line"))
    parts: dict[str, str] = {}
    for part in bare.split(";"):
        name, _, value = part.partition("=")
        if not value:
            raise bad(Detail("rule_part_empty", part=part[:40]))
        if name in parts:
            raise bad(Detail("rule_part_twice", part=name[:20]))
        parts[name] = value
    if "FREQ" not in parts:
        raise bad(Detail("rule_freq_missing"))
    return parts


def _unfolded(text: str) -> str:
    """Its lines, without blank ones and what folds a long one (RFC 5545 §3.1)."""
    lines = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "").split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def _number(name: str, value: str, lowest: int, highest: int, signed: bool = False) -> int:
    number = int(value) if _NUMBER.fullmatch(value) else None
    if number is None or not lowest <= (abs(number) if signed else number) <= highest:
        code = "rule_number_signed" if signed else "rule_number"
        raise bad(Detail(code, part=name, value=value[:40], least=lowest, most=highest))
    return number


Read = tuple[dict[str, object], str]  # fields of `Rule`, and the normalised value


def _freq(name: str, value: str) -> Read:
    if value not in Freq.__members__:
        raise bad(
            Detail("rule_frequency", part=name, value=value[:20], words=", ".join(Freq.__members__))
        )
    return {"freq": Freq[value]}, value


def _one(field: str, highest: int, name: str, value: str) -> Read:
    number = _number(name, value, 1, highest)
    return {field: number}, str(number)


def _list(name: str, value: str) -> Read:
    field, lowest, highest, signed = _LISTS[name]
    every = (_number(name, item, lowest, highest, signed) for item in value.split(","))
    numbers = tuple(dict.fromkeys(every))
    return {field: numbers}, ",".join(map(str, numbers))


def _weekdays(name: str, value: str) -> Read:
    days: dict[tuple[int, int], str] = {}
    for item in value.split(","):
        found = _WEEKDAY.fullmatch(item)
        if found is None:
            raise bad(Detail("rule_weekday", part=name, value=item[:20]))
        number = _number(name, found[1], 1, 53, signed=True) if found[1] else 0
        days[_WEEKDAYS.index(found[2]), number] = f"{number or ''}{found[2]}"
    return {"weekdays": tuple(days)}, ",".join(days.values())


def _week_start(name: str, value: str) -> Read:
    if value not in _WEEKDAYS:
        raise bad(Detail("rule_week_start", part=name, value=value[:20]))
    return {"week_start": _WEEKDAYS.index(value)}, value


def _until(name: str, value: str) -> Read:
    found = _UNTIL.fullmatch(value)
    try:
        if found is None:
            raise ValueError(value)
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise bad(Detail("rule_until", part=name, value=value[:40])) from None
    us = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    if found[7]:
        return {"until_us": us}, value
    return {"until_civil_us": us if found[4] else us + DAY_US - 1}, value


_READERS: dict[str, Callable[[str, str], Read]] = {
    "FREQ": _freq,
    "INTERVAL": partial(_one, "interval", 10**9 - 1),
    "COUNT": partial(_one, "count", COUNT_MAX),
    "UNTIL": _until,
    "WKST": _week_start,
    "BYDAY": _weekdays,
    **dict.fromkeys(_LISTS, _list),
}


def _check_together(rule: Rule) -> None:
    """Raises `BadRecurrence` for parts that RFC 5545 forbids together."""
    freq, numbered = rule.freq, [n for _, n in rule.weekdays if n]
    ended = rule.until_us is not None or rule.until_civil_us is not None
    in_month = freq == Freq.MONTHLY or bool(rule.months)
    forbidden = [
        (rule.count is not None and ended, Detail("rule_count_and_until")),
        (rule.week_numbers and freq != Freq.YEARLY, Detail("rule_week_number")),
        (
            rule.year_days and freq in (Freq.MONTHLY, Freq.WEEKLY, Freq.DAILY),
            Detail("rule_year_day", freq=freq.name),
        ),
        (rule.month_days and freq == Freq.WEEKLY, Detail("rule_month_day")),
        (
            numbered and (freq > Freq.MONTHLY or rule.week_numbers),
            Detail("rule_numbered_weekday"),
        ),
        (
            in_month and any(abs(n) > 5 for n in numbered),
            Detail("rule_sixth_weekday"),
        ),
    ]
    for found, detail in forbidden:
        if found:
            raise bad(detail)
