"""What a calendar shows of a window: stored occurrences, and behind them what rules bring."""

import msgspec

from protocol.schedule.calendar import (
    Entry,
    Gathered,
    Rules,
    conflicting,
    is_shown,
    stored,
)
from protocol.schedule.recurrence import occurrences
from protocol.schedule.schedules import Occurrence, Schedule
from protocol.times import SECOND_US

START = 1_790_000_000_000_000
DAY = 86_400 * SECOND_US


def schedule(name: str = "a", rule: str = "FREQ=DAILY") -> Schedule:
    return Schedule(
        id=name,
        user_id="u",
        device_id="d",
        media_id="m",
        trigger_us=START,
        timezone="Europe/Berlin",
        recurrence=rule,
        created_us=START,
    )


def gather(gathered: Gathered, *schedules: Schedule, parts_max: int = 10_000) -> Rules:
    rules = Rules(schedules, START)
    for _ in range(parts_max):
        if not rules.expand(gathered):
            break
    return rules


def test_a_rule_brings_everything_before_the_end_in_small_steps() -> None:
    each = schedule(rule="FREQ=HOURLY")
    gathered = Gathered(START + 9 * DAY)
    gather(gathered, each)
    found = [entry.due_us for entry in gathered.entries()]
    assert found == occurrences(each.rule, START - 1, 9 * 24)
    assert found[-1] < START + 9 * DAY
    assert gathered.complete


def test_rare_rules_end_at_the_end_of_the_window() -> None:
    gathered = Gathered(START + 30 * DAY)
    gather(gathered, schedule(rule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"))
    assert gathered.entries() == []


def test_whatever_part_was_expanded_is_whole_up_to_its_end() -> None:
    """The first schedule was expanded to the end of the window before the second began."""
    schedules = [schedule(f"{n:03d}", "FREQ=DAILY") for n in range(100)]
    whole = Gathered(START + 60 * DAY)
    assert gather(whole, *schedules).through_us is None
    part = Gathered(START + 60 * DAY)
    rules = gather(part, *schedules, parts_max=15)
    assert rules.through_us is not None
    part.end_early(rules.through_us + 1)
    assert not part.complete
    expected = [entry for entry in whole.entries() if entry.due_us < part.end_us]
    assert part.entries() == expected
    assert len(expected) > 1_000


def test_a_rule_that_is_none_hides_no_other() -> None:
    gathered = Gathered(START + 2 * DAY)
    rules = gather(gathered, schedule("a", "FREQ=NEVER"), schedule("b"))
    assert rules.unreadable == 1
    assert [entry.schedule_id for entry in gathered.entries()] == ["b", "b"]


def test_of_too_many_the_first_are_kept_and_it_says_where_they_end() -> None:
    gathered = Gathered(START + 30 * DAY, most=100)
    gather(gathered, *(schedule(name, "FREQ=MINUTELY") for name in ("a", "b", "c")))
    found = gathered.entries()
    assert not gathered.complete
    assert len(found) <= 100
    assert all(entry.due_us < gathered.end_us for entry in found)
    assert {entry.schedule_id for entry in found} == {"a", "b", "c"}
    assert len(found) % 3 == 0


def test_what_is_stored_takes_the_place_of_what_the_rule_brings() -> None:
    done = Occurrence(
        id="o", schedule_id="a", user_id="u", device_id="d", due_us=START, state="completed"
    )
    gathered = Gathered(START + 2 * DAY)
    gathered.add([stored(done)])
    gather(gathered, schedule())
    assert [entry.state for entry in gathered.entries()] == ["completed", "pending"]


def test_what_a_change_replaced_is_hidden_but_not_what_somebody_cancelled() -> None:
    cancelled = Occurrence(
        id="o", schedule_id="a", user_id="u", device_id="d", due_us=START, state="cancelled"
    )
    assert not is_shown(cancelled)
    assert is_shown(msgspec.structs.replace(cancelled, command_id="c"))
    assert is_shown(msgspec.structs.replace(cancelled, state="missed"))


def test_two_schedules_in_one_second_on_one_device_are_a_conflict() -> None:
    def entry(name: str, device: str, due_us: int) -> Entry:
        return Entry(due_us=due_us, schedule_id=name, device_id=device)

    both = [entry("a", "d", START), entry("b", "d", START + 10)]
    others = [
        entry("c", "elsewhere", START),
        entry("a", "d", START + DAY),
        entry("b", "d", START + 2 * DAY),
        entry("b", "d", START + 2 * DAY + 10),
    ]
    assert conflicting([*both, *others]) == {("a", START), ("b", START + 10)}
