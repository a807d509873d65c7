"""A row that fails for its content is put aside alone: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import pytest

from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.postgres import history
from actors.adapters.postgres.readers import FOREIGN_ROLE
from actors.adapters.postgres.store import open_store
from actors.runtime.isolation import Failed, attempt_each
from protocol.dead_letters import DeadLetter
from protocol.device import commands
from protocol.device.alarms import AlarmRule
from protocol.device.commands import Command
from protocol.errors import BadRecurrence, Unavailable, Unstorable
from protocol.problems.detail import Detail
from protocol.records import LoadedDevice, StateChange
from protocol.schedule.schedules import Due, Occurrence, Schedule, planned
from protocol.webhook import deliveries as webhooks
from protocol.webhook.deliveries import WebhookDelivery
from tests.contract import test_store_alarms as of_alarms
from tests.contract import test_store_commands as of_commands
from tests.contract import test_store_webhooks as of_webhooks
from tests.contract.pg_scene import Scene
from tests.contract.test_store import KEY, Home, of
from tests.contract.test_store_commands import sent, some_command
from tests.contract.test_store_schedules import (
    Judge,
    claim,
    listed,
    some_media,
    some_schedule,
    times,
)
from tests.unit.makers import NOW, SECOND, USER, some_alarm, some_device, some_login

PAUSE_S = 10


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        made = await Home(store).furnish()
        await store.add_media(some_media())
        yield made


async def letters(home: Home) -> list[DeadLetter]:
    return await home.store.dead_letters(100, None)


async def only_letter(home: Home, work: str, subject: str) -> DeadLetter:
    (letter,) = await letters(home)
    assert (letter.work, letter.subject) == (work, subject)
    return letter


class Planner:
    """Plans every schedule but those of a zone that is not known."""

    def __init__(self) -> None:
        self.unknown = "Mars/Olympus"
        self.asked: list[str] = []

    def __call__(self, schedule: Schedule) -> tuple[Schedule, list[int]]:
        self.asked.append(schedule.timezone)
        if schedule.timezone == self.unknown:
            raise BadRecurrence("timezone", Detail("zone_missing", zone=self.unknown))
        planned_on = msgspec.structs.replace(
            schedule, planned_us=NOW + 99 * SECOND, plan_us=NOW + 90 * SECOND
        )
        return planned_on, times(99)


async def test_a_schedule_that_cannot_be_planned_is_put_aside_and_others_are_planned(
    home: Home,
) -> None:
    bad = some_schedule(1, timezone="Mars/Olympus", plan_us=NOW)
    good = [some_schedule(n, plan_us=NOW + n) for n in (2, 3)]
    for each in (bad, *good):
        await home.store.add_schedule(each, times(1))
    planner = Planner()
    next_us = await home.store.plan_schedules(NOW + SECOND, 10, planner)
    assert next_us == NOW + (1 + PAUSE_S) * SECOND
    for each in good:
        assert await listed(home, each) == [(99, "pending"), (1, "pending")]
    letter = await only_letter(home, "plans", bad.id)
    assert letter.reason == "'Mars/Olympus' is not a time zone known to this server"
    assert letter.user_id == USER
    # It is not looked at again before its pause is over.
    planner.asked.clear()
    await home.store.plan_schedules(NOW + 5 * SECOND, 10, planner)
    assert planner.asked == []
    await home.store.plan_schedules(NOW + 11 * SECOND, 10, planner)
    assert (await only_letter(home, "plans", bad.id)).attempts == 2
    # The zone is known by now: it goes on where it was.
    planner.unknown = ""
    await home.store.plan_schedules(NOW + 31 * SECOND, 10, planner)
    assert await letters(home) == []
    assert await listed(home, bad) == [(99, "pending"), (1, "pending")]


async def test_whatever_our_own_code_raises_is_about_the_row(home: Home) -> None:
    for n, zone in enumerate(("A", "B", "C"), 1):
        await home.store.add_schedule(some_schedule(n, timezone=zone, plan_us=NOW), [])

    def plan(schedule: Schedule) -> tuple[Schedule, list[int]]:
        if schedule.timezone == "A":
            raise OSError("is a directory")
        if schedule.timezone == "B":
            return schedule, [1 << 70]  # no timestamp
        return msgspec.structs.replace(schedule, plan_us=None), []

    if isinstance(home.store, MemoryStore):
        pytest.skip("the twin has no bound of a timestamp")
    assert await home.store.plan_schedules(NOW, 10, plan) == NOW + PAUSE_S * SECOND
    assert {each.reason.partition(":")[0] for each in await letters(home)} == {
        "OSError",
        "DataError",
    }


async def test_a_server_that_is_away_is_not_about_the_row(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1))

    def judge(due: Due) -> tuple[Occurrence, Command | None]:
        raise Unavailable("the address of this server is not known yet")

    with pytest.raises(Unavailable):
        await home.store.claim_occurrences(NOW + SECOND, 10, judge)
    assert await letters(home) == []
    assert await listed(home, schedule) == [(1, "pending")]


async def test_an_occurrence_that_cannot_be_judged_is_put_aside_and_fires_when_it_can(
    home: Home,
) -> None:
    bad = await home.store.add_schedule(some_schedule(1), times(1))
    good = await home.store.add_schedule(some_schedule(2), times(2, 3))
    judge = Judge(home)
    fails = True

    def judging(due: Due) -> tuple[Occurrence, Command | None]:
        if fails and due.schedule.id == bad.id:
            raise KeyError("no such type of media")
        return judge(due)

    async def fire(at_s: float) -> list[int]:
        claimed = await home.store.claim_occurrences(NOW + round(at_s * SECOND), 10, judging)
        return [(each.due_us - NOW) // SECOND for each in claimed.changed.occurrences]

    claimed = await home.store.claim_occurrences(NOW + 2 * SECOND, 10, judging)
    assert [(o.due_us - NOW) // SECOND for o in claimed.changed.occurrences] == [2]
    assert len(claimed.send) == 1
    assert claimed.next_us == NOW + 3 * SECOND
    (letter,) = await letters(home)
    assert (letter.work, letter.user_id) == ("occurrences", USER)
    assert await fire(3) == [3]
    assert await fire(2 + PAUSE_S - 1) == []
    fails = False
    assert await fire(2 + PAUSE_S) == [1]
    assert await letters(home) == []
    assert await listed(home, bad) == [(1, "triggered")]
    assert await listed(home, good) == [(3, "triggered"), (2, "triggered")]


async def test_an_operator_need_not_wait_for_the_pause(home: Home) -> None:
    bad = await home.store.add_schedule(some_schedule(1, plan_us=None), times(1))

    def fail(due: Due) -> tuple[Occurrence, Command | None]:
        raise KeyError("no such type of media")

    await home.store.claim_occurrences(NOW + SECOND, 10, fail)
    (letter,) = await letters(home)
    assert await home.store.retry_dead_letters(letter.id, NOW + 2 * SECOND) == 1
    await claim(home, 2, Judge(home))
    assert await listed(home, bad) == [(1, "triggered")]


def failing(call: Callable[..., Any], subject: Callable[[], str]) -> Callable[..., Any]:
    """A step of the grammar that fails for one row."""

    def step(row: Command | WebhookDelivery, *args: Any, **options: Any) -> Any:
        if row.id == subject():
            raise ValueError("a row that nobody can read")
        return call(row, *args, **options)

    return step


async def test_a_command_that_fails_is_put_aside_and_holds_up_no_other_of_its_device(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in (1, 2):
        await home.store.add_command(some_command(home, n))
    bad = some_command(home, 1).id
    with monkeypatch.context() as patch:
        patch.setattr(commands, "tried", failing(commands.tried, lambda: bad))
        await of_commands.claim(home)  # the second one still waits behind it here
        claimed = await of_commands.claim(home, commands.BLOCKED_AGAIN_S)
        assert sent(claimed) == [2]
        letter = await only_letter(home, "commands", f"{USER}/{bad}")
        assert letter.reason == "ValueError: a row that nobody can read"
        assert sent(await of_commands.claim(home, 9)) == []
        await home.store.retry_dead_letters(None, NOW + 9 * SECOND)
    assert sent(await of_commands.claim(home, 9)) == [1]


async def test_a_command_is_never_held_longer_than_a_pause_between_tries(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would count as one whose clock was set back, and be due at once."""
    await home.store.add_command(some_command(home, expires_us=NOW + 9_000 * SECOND))
    bad = some_command(home).id
    monkeypatch.setattr(commands, "tried", failing(commands.tried, lambda: bad))
    at_us = NOW
    for _ in range(12):
        claimed = await home.store.claim_commands(at_us, 10)
        assert claimed.next_us is not None
        assert at_us < claimed.next_us <= at_us + commands.AGAIN_MAX_S * SECOND
        at_us = claimed.next_us
    assert (await only_letter(home, "commands", f"{USER}/{bad}")).attempts == 12


async def test_a_delivery_that_fails_is_put_aside_and_others_are_tried(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await of_webhooks.added(home, 1), await of_webhooks.added(home, 2)
    bad = await of_webhooks.with_news(home, first)
    good = await of_webhooks.with_news(home, second)
    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "claimed", failing(webhooks.claimed, lambda: bad.id))
        claimed = await of_webhooks.claim(home)
        assert [one.delivery.id for one in claimed.claims] == [good.id]
        assert (await only_letter(home, "webhooks", bad.id)).user_id == USER
        assert (await of_webhooks.claim(home, 9)).claims == ()
        await home.store.retry_dead_letters(None, NOW + 9 * SECOND)
    claimed = await of_webhooks.claim(home, 9)
    assert [one.delivery.id for one in claimed.claims] == [bad.id]


async def test_a_letter_whose_row_went_on_is_forgotten(home: Home) -> None:
    await home.store.put_aside("plans", "a", "r", now_us=NOW)
    await home.store.put_aside("plans", "b", "r", now_us=NOW + SECOND)
    await home.store.put_aside("commands", "a", "r", now_us=NOW)
    assert await home.store.forget_dead_letters("plans", NOW + 11 * SECOND) == 1
    assert {(each.work, each.subject) for each in await letters(home)} == {
        ("plans", "b"),
        ("commands", "a"),
    }


async def test_planning_for_real_meets_an_unknown_zone(home: Home) -> None:
    bad = some_schedule(1, timezone="Mars/Olympus", plan_us=NOW)
    await home.store.add_schedule(bad, times(1))
    await home.store.add_schedule(some_schedule(2, plan_us=NOW), times(1))
    await home.store.plan_schedules(NOW, 10, lambda each: planned(each, NOW))
    await only_letter(home, "plans", bad.id)


# A row that the server itself cannot read: a view in front of the table divides by zero for it.
_SPOILED = """
ALTER TABLE devices RENAME TO devices_there;
CREATE VIEW devices AS SELECT num, id, user_id, code, name,
    CASE WHEN code = 'bad' THEN 1 / (num - num) ELSE offline_after_s END AS offline_after_s,
    {others} FROM devices_there
"""


async def spoil_devices(connection: Any) -> None:
    """From now on nobody can read the device `bad`."""
    written = ("num", "id", "user_id", "code", "name", "offline_after_s")
    others = await connection.fetchval(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'devices'::regclass AND attnum > 0 AND NOT attisdropped"
        " AND NOT attname = ANY($1)",
        list(written),
    )
    await connection.execute(_SPOILED.format(others=others))


async def spoil_alarms(connection: Any) -> None:
    """From now on nobody can read the alarms of the device `d1`."""
    written = (
        "num, id, user_id, device_num, feed_num, kind, severity, state, since_at, count, coded"
    )
    await connection.execute("ALTER TABLE alarms RENAME TO alarms_there")
    await connection.execute(
        f"CREATE VIEW alarms AS SELECT {written}, raised_at, acknowledged_at, cleared_at, detail,"
        " CASE WHEN device_num = (SELECT num FROM devices WHERE code = 'd1')"
        " THEN 1 / (num - num) ELSE value END AS value FROM alarms_there"
    )


async def test_a_device_row_that_the_server_cannot_read_fails_alone(scene: Scene) -> None:
    store = scene.home.store
    bad = some_device("bad", "00000000-0000-4000-8000-00000000bad0", client_id="bad")
    await store.add_device(bad, some_login(bad))
    await store._work(spoil_devices)  # type: ignore[attr-defined]
    done = await attempt_each([KEY, bad.key, KEY], store.load_devices)
    assert isinstance(done[1], Failed)
    assert isinstance(done[1].error, Unstorable)
    assert done[0] == done[2]
    assert isinstance(done[0], LoadedDevice)
    # The others have their leases at the next start.
    await scene.fetch("UPDATE devices SET status = 'online'")
    assert [device.code for device in await store.online_devices()] == ["d1"]
    letter = await only_letter(scene.home, "devices", f"{USER}/bad")
    assert (letter.user_id, letter.attempts) == (USER, 1)


async def test_an_online_device_that_our_records_refuse_leaves_all_others_their_leases(
    home: Home,
) -> None:
    """After a restart nobody fell silent any more: no lease of anybody was restored."""
    store = home.store
    for n, code in enumerate(("bad", "good")):
        made = some_device(code, f"00000000-0000-4000-8000-0000000bad0{n}", client_id=code)
        device = await store.add_device(made, some_login(made))
        state = msgspec.structs.replace(device.state, version=1, status="online", state_us=NOW)
        await home.commit(of(state=StateChange(device.num, state)))
        if code == "bad":
            bad = device
    assert len(await store.online_devices()) == 2
    if isinstance(store, MemoryStore):
        store.unreadable["devices", bad.num] = "ValueError: a time"
    else:
        spoiled = "UPDATE devices SET last_seen_at = 'infinity' WHERE num = $1"
        await store._work(  # type: ignore[attr-defined]
            lambda connection: connection.execute(spoiled, bad.num)
        )
    assert [device.code for device in await store.online_devices()] == ["good"]
    letter = await only_letter(home, "devices", f"{USER}/bad")
    assert (letter.user_id, letter.attempts) == (USER, 1)


async def test_a_wait_since_a_time_that_no_calendar_has_keeps_no_other_waiting_alarm(
    scene: Scene,
) -> None:
    home = scene.home
    feed = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=60.0))
    await home.store.update_feed(feed)
    waiting = [of_alarms.alarm(home, n, kind=f"k{n}", state="pending") for n in range(3)]
    await home.commit(of(alarms=tuple(waiting)))
    await scene.fetch("UPDATE alarms SET since_at = '-infinity' WHERE kind = 'k1'")
    page = await home.store.pending_alarms(10, 0)
    assert [each.kind for _, each, _ in page.alarms] == ["k0", "k2"]
    await only_letter(home, "devices", "/".join(KEY))


async def test_a_waiting_alarm_that_the_server_cannot_read_fails_alone(scene: Scene) -> None:
    home = scene.home
    feed = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=60.0))
    await home.store.update_feed(feed)
    waiting = [of_alarms.alarm(home, n, kind=f"k{n}", state="pending") for n in range(5)]
    await home.commit(of(alarms=tuple(waiting)))
    others = await scene.fetch(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attnum > 0"
        " AND attrelid = 'alarms'::regclass AND NOT attisdropped AND attname <> 'detail'"
    )
    await scene.fetch("ALTER TABLE alarms RENAME TO alarms_there")
    await scene.fetch(
        f"CREATE VIEW alarms AS SELECT {others[0][0]},"
        " CASE WHEN kind = 'k3' THEN (1 / (num - num))::text ELSE detail END AS detail"
        " FROM alarms_there"
    )
    page = await home.store.pending_alarms(10, 0)
    assert [each.kind for _, each, _ in page.alarms] == ["k0", "k1", "k2", "k4"]
    letter = await only_letter(home, "devices", "/".join(KEY))
    assert (letter.user_id, letter.reason) == (USER, "DivisionByZeroError: division by zero")


async def test_an_alarm_that_nobody_can_read_keeps_no_other_from_waiting(home: Home) -> None:
    """Its device is put aside, and has its alarm back when it can be read again."""
    waits = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=9.0))
    await home.store.update_feed(waits)
    made = some_device("good", "00000000-0000-4000-8000-00000000900d", client_id="good")
    other = await home.store.add_device(made, some_login(made))
    bad = some_alarm(waits.num, device_num=home.device.num, state="pending", raised_us=None)
    good = msgspec.structs.replace(
        bad, id=f"{bad.id[:-1]}9", device_num=other.num, device_id=other.id
    )
    await home.commit(of(alarms=(bad, good)))
    assert len((await home.store.pending_alarms(10, 0)).alarms) == 2
    if isinstance(home.store, MemoryStore):
        home.store.unreadable_alarms[bad.id] = 0
    else:
        await home.store._work(spoil_alarms)  # type: ignore[attr-defined]
    ((key, found, _),) = (await home.store.pending_alarms(10, 0)).alarms
    assert (key, found.id) == (other.key, good.id)
    await only_letter(home, "devices", f"{USER}/{KEY[1]}")
    done = await attempt_each([KEY, other.key], home.store.load_devices)
    assert isinstance(done[0], Failed)
    assert isinstance(done[0].error, Unstorable)
    assert isinstance(done[1], LoadedDevice)


async def test_an_answer_of_a_device_that_cannot_be_reckoned_with_is_about_its_own_batch(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer takes such a batch to pieces; anything else would end it, for everybody."""
    await home.store.add_command(some_command(home))

    def fails(*_: object) -> Command:
        raise KeyError("no such state")

    monkeypatch.setattr(commands, "acked", fails)
    with pytest.raises(Unstorable, match="no such state"):
        await home.commit(of(acks=(of_commands.ack(home, "succeeded"),)))


async def test_a_schedule_that_our_records_refuse_keeps_no_other_from_its_plan_and_occurrences(
    scene: Scene,
) -> None:
    home = scene.home
    await home.store.add_media(some_media())
    for n in (1, 2):
        await home.store.add_schedule(some_schedule(n, plan_us=NOW), times(n))
    await scene.fetch("ALTER TABLE media_schedules ALTER exclusions DROP NOT NULL")
    bad = some_schedule(1).id
    await scene.fetch("UPDATE media_schedules SET exclusions = NULL WHERE id = $1::text::uuid", bad)
    await home.store.plan_schedules(NOW + SECOND, 10, Planner())
    await only_letter(home, "plans", bad)
    assert len((await claim(home, 9, Judge(home))).changed.occurrences) == 1
    assert {each.work for each in await letters(home)} == {"plans", "occurrences"}


async def test_a_command_without_its_time_keeps_no_other_from_being_sent(scene: Scene) -> None:
    """Whether it has ended nobody can tell: asked for that, the job failed, for everybody."""
    home = scene.home
    for n in (1, 2):
        await home.store.add_command(some_command(home, n, parallel=True))
    await scene.fetch("ALTER TABLE commands ALTER expires_at DROP NOT NULL")
    bad = some_command(home, 1).id
    await scene.fetch("UPDATE commands SET expires_at = NULL WHERE id = $1::text::uuid", bad)
    assert sent(await of_commands.claim(home)) == [2]
    await only_letter(home, "commands", f"{USER}/{bad}")


async def test_a_row_that_cannot_be_forgotten_keeps_no_other_table_from_its_housekeeping(
    scene: Scene,
) -> None:
    await scene.fetch("INSERT INTO message_ids VALUES (1, 1, 'x', 0, now() - interval '9 days')")
    await scene.fetch(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE check_violation USING MESSAGE = 'it stays'; END $$"
    )
    await scene.fetch(
        "CREATE TRIGGER refuse BEFORE DELETE ON message_ids FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    await scene.fetch(
        "INSERT INTO password_resets VALUES ('\\x01', $1::text::uuid, now() - interval '9 days')",
        USER,
    )
    with pytest.raises(Unstorable, match="it stays"):
        await scene.store.tidy()
    assert await scene.fetch("SELECT count(*) FROM password_resets") == [(0,)]


async def test_a_privilege_that_was_taken_away_is_a_server_that_is_away(scene: Scene) -> None:
    """It is granted again, and all goes on: nothing ends for it."""
    role = FOREIGN_ROLE + "limited"  # a name by which the server lets somebody in
    await scene.fetch(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'")
    await scene.fetch(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    await scene.fetch(f"REVOKE DELETE ON tickets FROM {role}")
    address = urlsplit(scene.url)
    limited = urlunsplit(address._replace(netloc=f"{role}:pw@" + address.netloc.partition("@")[2]))
    async with open_store(limited) as store:
        with pytest.raises(Unavailable, match="permission denied for table tickets"):
            await store._work(history.tidy)
        await scene.fetch(f"GRANT DELETE ON tickets TO {role}")
        await store._work(history.tidy)
    await scene.fetch(f"DROP OWNED BY {role}")
    await scene.fetch(f"DROP ROLE {role}")


async def test_what_a_trigger_refuses_is_of_its_rows_and_no_outage(scene: Scene) -> None:
    """The writer looks for the unit that it is about, and goes on with the others."""
    num = scene.home.feeds["number"].num
    for statement in (
        "CREATE FUNCTION nope() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF new.feed_num = {num} THEN RAISE EXCEPTION 'not this feed'; END IF; RETURN new;"
        " END $$",
        "CREATE TRIGGER nope BEFORE INSERT ON feed_values FOR EACH ROW EXECUTE FUNCTION nope()",
    ):
        await scene.fetch(statement)
    with pytest.raises(Unstorable, match="not this feed"):
        await scene.home.commit(of(msgspec.structs.replace(scene.home.reading(1.0), feed_num=num)))


async def test_a_letter_without_its_kind_of_work_is_counted_all_the_same(scene: Scene) -> None:
    """`/readyz` sorts the kinds: it answered 500."""
    for subject in ("a", "b"):
        await scene.store.put_aside("plans", subject, "r", now_us=NOW)
    await scene.fetch("ALTER TABLE dead_letters ALTER work DROP NOT NULL")
    await scene.fetch("UPDATE dead_letters SET work = NULL WHERE subject = 'a'")
    assert await scene.store.count_dead_letters() == {"?": 1, "plans": 1}
