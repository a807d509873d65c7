"""Dead letters as a table for operators, the oldest first."""

from collections.abc import Callable, Sequence
from functools import partial

from actors.ports.dead_letters import DeadLetterStore
from actors.runtime.isolation import Failed, attempt_now
from protocol.dead_letters import DeadLetter
from protocol.errors import in_words
from protocol.printable import printable
from protocol.times import SECOND_US, format_us

PAGE = 500
HEAD = ("ID", "WORK", "SUBJECT", "USER", "SINCE", "TRIES", "NEXT TRY", "REASON")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


async def print_letters(store: DeadLetterStore, now_us: int, say: Callable[[str], None]) -> None:
    """Print all of them, page by page, or one line if there are none."""
    page = await store.dead_letters(PAGE, None)
    if not page:
        say("no dead letters: all work goes on")
    while page:
        for line in table(page, now_us):
            say(line)
        page = await store.dead_letters(PAGE, (page[-1].first_us, page[-1].id))


def table(letters: Sequence[DeadLetter], now_us: int) -> list[str]:
    """A header line, and one line for each letter, in columns."""
    rows = [HEAD, *(_shown(letter, now_us) for letter in letters)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _shown(letter: DeadLetter, now_us: int) -> tuple[str, ...]:
    """One that somebody has spoiled by hand (a time of "infinity") hides no other."""
    done = attempt_now(partial(_row, letter, now_us))
    if not isinstance(done, Failed):
        return done
    why = printable(f"this letter cannot be shown: {in_words(done.error)}")
    return (letter.id, *("?" for _ in HEAD[1:-1]), why)


def _row(letter: DeadLetter, now_us: int) -> tuple[str, ...]:
    return (
        letter.id,
        printable(letter.work),
        printable(letter.subject),
        letter.user_id or "-",
        format_us(letter.first_us)[:19] + "Z",
        str(letter.attempts),
        _in(letter.next_try_us - now_us),
        printable(letter.reason),
    )


def _in(us: int) -> str:
    seconds = us // SECOND_US
    if seconds <= 0:
        return "due"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"in {seconds // size} {unit}"
    return f"in {seconds} s"
