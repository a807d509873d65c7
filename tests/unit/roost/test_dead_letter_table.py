"""The table of dead letters, as an operator reads it."""

from typing import Any

import msgspec
import pytest

from protocol.dead_letters import DeadLetter
from roost.dead_letter_table import HEAD, table
from tests.unit.makers import NOW, SECOND

LETTER = DeadLetter(
    id="00000000-0000-4000-8000-000000000001",
    work="plans",
    subject="s",
    user_id=None,
    reason="why",
    detail="",
    attempts=1,
    first_us=NOW,
    last_us=NOW,
    next_try_us=NOW + 90 * SECOND,
)


@pytest.mark.parametrize(
    "spoiled",
    [{"first_us": 2**62}, {"first_us": None}, {"work": None}, {"reason": None}],
    ids=str,
)
def test_a_letter_that_cannot_be_shown_hides_no_other(spoiled: dict[str, Any]) -> None:
    """`roost dead-letters` ended with status 1, and showed none of them."""
    bad = msgspec.structs.replace(LETTER, id="bad", **spoiled)
    head, good, shown = table([LETTER, bad], NOW)
    assert head.split() == " ".join(HEAD).split()
    assert good.split()[:3] == [LETTER.id, "plans", "s"]
    assert "in 1 min" in good
    assert shown.startswith("bad ")
    assert "this letter cannot be shown" in shown


def test_what_would_change_the_terminal_is_not_shown() -> None:
    bad = msgspec.structs.replace(LETTER, work="a\x1b[2J", subject="b\nc", reason="d\x07")
    (_, line) = table([bad], NOW)
    assert line.isprintable()
