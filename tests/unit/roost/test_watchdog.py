"""Which servers are restarted, and which are left alone."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol.errors import SettingsError
from roost.embedded import disk
from roost.embedded.disk import AGAIN_BYTES, NEW_BYTES, ROOM_BYTES, TAKING_BYTES, Disk, check_room
from roost.embedded.watchdog import (
    CANNOT_WRITE,
    GAP_S,
    NEW_CONNECTION_PATIENCE,
    PATIENCE_S,
    PAUSE_FIRST_S,
    Judge,
    Seen,
    Verdict,
)
from tests.conftest import Logs

EVERY_S = 5.0
HUNG = {"broker": None}
FAILED = {"broker": f"stream {CANNOT_WRITE}: no space left on device"}
AWAY = {"old_answers": False, "new_answers": False}
BEGAN_S = 1_000.0


class Looks:
    """A judge, and the looks that it is shown, one every five seconds."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.at_s = BEGAN_S
        self.verdicts: list[tuple[float, Verdict]] = []

    def see(self, seconds: float, **what: Any) -> list[str]:
        """The same for so long; answers with who was restarted."""
        until_s, before = self.at_s + seconds, len(self.verdicts)
        while self.at_s < until_s:
            self.at_s += EVERY_S
            seen = msgspec.structs.replace(Seen(at_s=self.at_s), **what)
            self.verdicts += [(self.at_s, each) for each in self.judge.judge(seen)]
        return [verdict.which for _, verdict in self.verdicts[before:]]


@pytest.fixture
def looks() -> Looks:
    looks = Looks()
    looks.see(10)
    return looks


def test_what_serves_is_left_alone(looks: Looks) -> None:
    assert looks.see(10_000) == []


@pytest.mark.parametrize(("which", "what"), [("broker", HUNG), ("database", AWAY)])
def test_a_server_that_does_not_answer_for_30_s_is_restarted(
    looks: Looks, which: str, what: dict[str, Any]
) -> None:
    assert looks.see(PATIENCE_S - EVERY_S, **what) == []
    assert looks.see(EVERY_S, **what) == [which]
    (_, verdict), *_ = looks.verdicts
    assert verdict.hung
    assert "30 s" in verdict.why


@pytest.mark.parametrize("what", [HUNG, AWAY, {}])
def test_one_look_at_which_all_is_well_begins_the_time_again(
    looks: Looks, what: dict[str, Any]
) -> None:
    for _ in range(20):
        since_s = looks.at_s
        assert looks.see(PATIENCE_S - EVERY_S, **what, failing_since_s=since_s) == []
        looks.see(EVERY_S)


def test_a_database_that_serves_its_old_connections_gets_more_time(looks: Looks) -> None:
    assert looks.see(NEW_CONNECTION_PATIENCE * PATIENCE_S - EVERY_S, new_answers=False) == []
    assert looks.see(EVERY_S, new_answers=False) == ["database"]


def test_a_database_whose_old_connections_are_all_busy_is_left_alone(looks: Looks) -> None:
    assert looks.see(1_000, old_answers=False) == []


def test_a_broker_that_cannot_write_is_restarted_as_soon_as_the_disk_has_room(
    looks: Looks,
) -> None:
    assert looks.see(1_000, **FAILED, failing_since_s=looks.at_s, has_room=False) == []
    assert looks.see(EVERY_S, **FAILED, failing_since_s=looks.at_s) == ["broker"]
    assert "no space left on device" in looks.verdicts[0][1].why
    assert not looks.verdicts[0][1].hung


def test_a_stream_that_failed_is_not_waited_for(looks: Looks) -> None:
    assert looks.see(2 * EVERY_S, **FAILED, has_room=False) == []
    assert looks.see(EVERY_S, **FAILED) == ["broker"]


def test_when_no_canary_passes_for_30_s_and_all_else_is_well_it_is_the_broker(
    looks: Looks,
) -> None:
    since_s = looks.at_s
    assert looks.see(PATIENCE_S - EVERY_S, failing_since_s=since_s) == []
    assert looks.see(EVERY_S, failing_since_s=since_s) == ["broker"]


@pytest.mark.parametrize(
    "what", [AWAY, {"old_answers": False}, {"has_room": False}, {"arrives": True}, {"up": ()}]
)
def test_canaries_that_fail_for_another_reason_restart_no_broker(
    looks: Looks, what: dict[str, Any]
) -> None:
    """While the database is away or busy, the disk is full, or a backlog arrives."""
    since_s = looks.at_s
    restarted = looks.see(1_000, failing_since_s=since_s, **what)
    # And when that is over, canaries have as much time again.
    restarted += looks.see(PATIENCE_S - EVERY_S, failing_since_s=since_s)
    assert "broker" not in restarted
    assert looks.see(EVERY_S, failing_since_s=since_s) == ["broker"]


def test_a_server_that_is_being_restarted_is_not_restarted(looks: Looks) -> None:
    assert looks.see(1_000, **HUNG, **AWAY, up=()) == []


def test_a_machine_that_slept_restarts_nothing(looks: Looks) -> None:
    for what in (HUNG, AWAY, {"failing_since_s": looks.at_s}):
        looks.see(PATIENCE_S - EVERY_S, **what)
        looks.at_s += GAP_S + 3_600
        assert looks.see(PATIENCE_S, **what) == []
        looks.see(EVERY_S)
        looks.at_s += GAP_S


def test_what_does_not_help_is_done_ever_more_rarely(looks: Looks) -> None:
    looks.see(100_000, **HUNG)
    times_s = [at_s for at_s, _ in looks.verdicts]
    pauses_s = [after - before for before, after in pairwise(times_s)]
    assert pauses_s[0] >= PAUSE_FIRST_S
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[-1] >= 3_600
    assert len(times_s) < 40


@pytest.mark.parametrize(
    ("trouble", "server"), [(HUNG, "broker"), (FAILED, "broker"), (AWAY, "database")]
)
@pytest.mark.parametrize("well_s", [EVERY_S, 600.0])
def test_a_restart_that_helped_makes_nobody_wait_longer_for_the_next(
    looks: Looks, trouble: dict[str, Any], server: str, well_s: float
) -> None:
    """Of disks that were full again and again; after some, a broker that failed anew was left alone
    for two minutes, at last for an hour."""
    for _ in range(9):
        looks.see(PAUSE_FIRST_S + EVERY_S, **trouble)
        assert looks.verdicts[-1][1].which == server
        assert looks.at_s - looks.verdicts[-1][0] <= PAUSE_FIRST_S
        looks.see(well_s)
    assert len(looks.verdicts) >= 9


def test_both_servers_may_hang(looks: Looks) -> None:
    assert sorted(looks.see(PATIENCE_S + EVERY_S, **HUNG, **AWAY)) == ["broker", "database"]


async def test_a_disk_that_is_full_says_so_once_in_the_log_and_in_words(
    tmp_path: Path, logs: Logs
) -> None:
    logs.claim("the disk is full")
    logs.claim("nothing new is taken: the disk is nearly full")
    free = enough = TAKING_BYTES + AGAIN_BYTES
    watched = Disk(tmp_path, lambda path: free)
    assert await watched.look()
    assert watched.checks() == {"disk": "ok"}
    free = ROOM_BYTES - 1
    assert not await watched.look()
    assert not await watched.look()
    assert watched.checks()["disk"].startswith("full: 32 MB free in ")
    assert len(logs.of("the disk is full")) == 1
    free = enough
    assert await watched.look()
    assert watched.checks() == {"disk": "ok"}
    assert len(logs.of("the disk has room again")) == 1


async def test_nothing_new_is_taken_while_the_broker_could_fill_the_disk(
    tmp_path: Path, logs: Logs
) -> None:
    logs.claim("nothing new is taken: the disk is nearly full")
    reserve = 100 << 20  # the broker may still write so much
    free = enough = reserve + TAKING_BYTES
    watched = Disk(tmp_path, lambda path: free, lambda: reserve)
    assert await watched.look()
    assert watched.takes
    free -= 1
    for _ in range(2):
        assert await watched.look()  # our servers may be restarted
        assert not watched.takes
    assert watched.checks()["disk"].startswith("nearly full: 164 MB free in ")
    assert len(logs.of("nothing new is taken: the disk is nearly full")) == 1
    free = enough  # not at once again
    assert await watched.look()
    assert not watched.takes
    free += AGAIN_BYTES
    assert await watched.look()
    assert watched.takes
    assert watched.checks() == {"disk": "ok"}
    assert len(logs.of("messages are taken again")) == 1
    reserve += AGAIN_BYTES + 1
    await watched.look()
    assert not watched.takes


def test_a_start_needs_room_and_a_first_one_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = ROOM_BYTES
    monkeypatch.setattr(disk, "free_bytes", lambda path: free)
    with pytest.raises(SettingsError, match=r"the disk is full: 32 MB free in .* 96 MB to start"):
        check_room(tmp_path)
    free += NEW_BYTES
    check_room(tmp_path)
    (tmp_path / "postgres").mkdir()
    free = ROOM_BYTES
    check_room(tmp_path)
    free -= 1
    with pytest.raises(SettingsError, match="needs 32 MB"):
        check_room(tmp_path)
