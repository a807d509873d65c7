"""What every store promises of the lead: PostgreSQL and its memory twin."""

from typing import Any

import msgspec
import pytest
import trio

from actors.ports.lead import Lead
from protocol.errors import Fenced
from tests.contract.pg_scene import Scene
from tests.contract.test_store import Home, of
from tests.unit.makers import NOW

LONG_S, SHORT_S = 60.0, 0.2


async def test_a_running_lease_is_its_holder_s_alone(opened_store: Any) -> None:
    async with opened_store() as store:
        first = await store.hold_lead("one", LONG_S)
        assert first.is_ours
        seen = await store.hold_lead("other", LONG_S)
        assert (seen.is_ours, seen.epoch, seen.renewals) == (False, first.epoch, first.renewals)
        again = await store.hold_lead("one", LONG_S)
        assert (again.is_ours, again.epoch) == (True, first.epoch)
        assert again.renewals > first.renewals  # by which the other sees that it lives


async def test_a_lease_that_ran_out_is_anybody_s_and_the_epoch_tells_of_a_new_holder(
    opened_store: Any,
) -> None:
    async with opened_store() as store:
        first = await store.hold_lead("one", SHORT_S)
        await trio.sleep(2 * SHORT_S)
        late = await store.hold_lead("one", SHORT_S)
        assert (late.is_ours, late.epoch) == (True, first.epoch)  # nobody had it meanwhile
        await trio.sleep(2 * SHORT_S)
        taken = await store.hold_lead("other", LONG_S)
        assert (taken.is_ours, taken.epoch) == (True, first.epoch + 1)
        assert not (await store.hold_lead("one", LONG_S)).is_ours


async def test_a_lead_that_was_resigned_or_is_seized_is_taken_at_once(opened_store: Any) -> None:
    async with opened_store() as store:
        first = await store.hold_lead("one", LONG_S)
        await store.resign_lead("other")  # which does not have it
        assert not (await store.hold_lead("other", LONG_S)).is_ours
        await store.resign_lead("one")
        second = await store.hold_lead("other", LONG_S)
        third = await store.hold_lead("one", LONG_S, seize=True)
        assert [first.epoch, second.epoch, third.epoch] == [first.epoch + n for n in range(3)]


async def test_the_holder_hears_of_a_standby_that_could_serve(opened_store: Any) -> None:
    async with opened_store() as store:
        assert not (await store.hold_lead("one", LONG_S)).has_standby
        await store.hold_lead("other", LONG_S, is_fit=False)
        assert not (await store.hold_lead("one", LONG_S)).has_standby
        await store.hold_lead("other", SHORT_S)
        assert (await store.hold_lead("one", LONG_S)).has_standby
        await trio.sleep(2 * SHORT_S)  # it is gone
        assert not (await store.hold_lead("one", LONG_S)).has_standby


async def test_a_free_lead_is_for_who_could_serve_if_there_is_one(opened_store: Any) -> None:
    async with opened_store() as store:
        first = await store.hold_lead("one", LONG_S)
        await store.hold_lead("other", SHORT_S)
        await store.resign_lead("one")
        left = await store.hold_lead("one", LONG_S, is_fit=False)
        assert (left.is_ours, left.epoch) == (False, first.epoch)
        taken = await store.hold_lead("other", LONG_S)
        assert (taken.is_ours, taken.epoch) == (True, first.epoch + 1)
        assert not taken.has_standby  # its own mark is none
        await store.hold_lead("one", SHORT_S)
        await store.resign_lead("other")
        await trio.sleep(2 * SHORT_S)
        last = await store.hold_lead("other", LONG_S, is_fit=False)  # nobody else is left
        assert (last.is_ours, last.epoch) == (True, first.epoch + 2)
        renewed = await store.hold_lead("other", LONG_S, is_fit=False)
        assert (renewed.is_ours, renewed.epoch) == (True, last.epoch)


async def test_of_many_who_ask_at_once_one_leads(opened_store: Any) -> None:
    async with opened_store() as store:
        leads = {}

        async def ask(name: str) -> None:
            leads[name] = await store.hold_lead(name, LONG_S)

        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(ask, f"candidate-{n}")
        assert sum(lead.is_ours for lead in leads.values()) == 1
        assert len({lead.epoch for lead in leads.values() if lead.is_ours}) == 1


async def test_who_was_overtaken_commits_nothing(opened_store: Any) -> None:
    async with opened_store() as store:
        home = await Home(store).furnish()
        first = await store.hold_lead("one", SHORT_S)
        batch = msgspec.structs.replace(home.batch(of(home.reading(1.0))), epoch=first.epoch)
        await store.commit(batch)
        await trio.sleep(2 * SHORT_S)
        # A lease that ran out alone takes nothing away: nobody else has led.
        late = home.batch(of(home.reading(2.0, ts_us=NOW + 1)))
        await store.commit(msgspec.structs.replace(late, epoch=first.epoch))
        await store.hold_lead("other", LONG_S)
        overtaken = home.batch(of(home.reading(3.0, ts_us=NOW + 2)))
        with pytest.raises(Fenced):
            await store.commit(msgspec.structs.replace(overtaken, epoch=first.epoch))
        # What was done before under the old epoch is known by its name, and is no loss.
        assert (await store.commit(batch)).duplicates == [0]
        assert await home.values() == [(1, 2.0), (0, 1.0)]


async def test_a_row_that_somebody_deleted_is_made_anew_above_every_epoch_there_was(
    scene: Scene,
) -> None:
    """Nobody led any more, not even after a restart; every batch was given up for ever."""
    store = scene.home.store
    first = await store.hold_lead("one", LONG_S)
    await scene.fetch("DELETE FROM leads")
    held: list[Lead] = []

    async def hold(holder: str) -> None:
        held.append(await store.hold_lead(holder, LONG_S))

    async with trio.open_nursery() as nursery:
        for n in range(6):
            nursery.start_soon(hold, f"process {n}")
    assert [each.is_ours for each in held].count(True) == 1
    assert min(each.epoch for each in held) > first.epoch
    assert await scene.fetch("SELECT count(*) FROM leads") == [(1,)]
    with pytest.raises(Fenced):
        await store.commit(msgspec.structs.replace(scene.home.batch(of()), epoch=first.epoch))


@pytest.mark.parametrize(
    "spoiled",
    [
        "epoch = NULL",
        "epoch = 0",
        "epoch = -5",
        "epoch = 9223372036854775807, holder = 'gone', expires_at = '-infinity'",
        "renewals = NULL",
        "renewals = 9223372036854775807",
        "expires_at = NULL, holder = 'gone'",
        "expires_at = 'infinity', holder = 'gone'",
        "expires_at = now() + interval '1 day', holder = 'gone'",
    ],
)
async def test_a_row_of_the_lead_that_somebody_spoiled_keeps_nobody_from_leading(
    scene: Scene, spoiled: str
) -> None:
    """A lease of tomorrow is what a clock leaves that was set back. Nobody led until then, and
    without an epoch nobody ever again before a restart."""
    store = scene.home.store
    first = await store.hold_lead("one", LONG_S)
    for column in ("epoch", "renewals", "expires_at"):
        await scene.fetch(f"ALTER TABLE leads ALTER {column} DROP NOT NULL")
    await scene.fetch(f"UPDATE leads SET {spoiled}")
    again = await store.hold_lead("one", LONG_S)
    assert again.is_ours
    assert again.epoch >= first.epoch
    assert await store.hold_lead("one", LONG_S) == msgspec.structs.replace(
        again, renewals=again.renewals + 1
    )
    assert not (await store.hold_lead("other", LONG_S)).is_ours
    assert await scene.fetch("SELECT count(*) FROM leads") == [(1,)]
