"""What every store promises of webhooks: PostgreSQL and its memory twin."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.adapters.postgres import webhook_outbox
from actors.ports.webhooks import ClaimedDeliveries, Wanted
from protocol.problems.detail import Detail
from protocol.rest.listing import DELIVERIES, WEBHOOKS
from protocol.webhook import deliveries as webhooks
from protocol.webhook.deliveries import (
    EVENTS,
    WEBHOOKS_MAX,
    Outcome,
    Webhook,
    WebhookDelivery,
    trial_news,
)
from tests.contract.refused import refused
from tests.contract.test_store import Home, of
from tests.contract.test_store_alarms import alarm
from tests.contract.test_store_commands import ack, some_command
from tests.contract.test_store_schedules import Judge, some_schedule
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER

GOOD, BAD = Outcome(status=204), Outcome(status=500, detail="out of order")


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def some_webhook(n: int = 1, **changes: Any) -> Webhook:
    webhook = Webhook(
        id=f"00000000-0000-4000-e000-{n:012d}",
        user_id=USER,
        url=f"https://receiver.example/{n}",
        events=EVENTS,
        secret="whsec_c2VjcmV0",
        description="pager",
        created_us=NOW,
    )
    return msgspec.structs.replace(webhook, **changes)


async def added(home: Home, n: int = 1, **changes: Any) -> Webhook:
    return await home.store.add_webhook(some_webhook(n, **changes))


async def with_news(home: Home, webhook: Webhook, n: int = 1) -> WebhookDelivery:
    event_id = f"00000000-0000-4000-f000-{n:012d}"
    return await home.store.add_delivery(webhook, trial_news(webhook, event_id, NOW))


async def claim(home: Home, after_s: float = 0, **options: Any) -> ClaimedDeliveries:
    options = {"limit": 10, "each": 4, **options}
    wanted = Wanted(now_us=NOW + round(after_s * SECOND), **options)
    return await home.store.claim_deliveries(wanted)


async def told(home: Home, webhook: Webhook) -> list[str]:
    """Types of what was told, oldest first."""
    found = await items(home.store, DELIVERIES, webhook.user_id, 100, webhook_id=webhook.id)
    return [each.type for each in reversed(found)]


async def only(home: Home, webhook: Webhook) -> WebhookDelivery:
    (found,) = await items(home.store, DELIVERIES, USER, 10, webhook_id=webhook.id)
    return found


async def test_a_webhook_comes_back_as_it_was_and_changes(home: Home) -> None:
    webhook = await added(home)
    assert msgspec.structs.replace(webhook, num=0) == some_webhook()
    assert await home.store.webhook(USER, webhook.id) == webhook
    assert await home.store.webhook(OTHER_USER, webhook.id) is None
    other = await added(home, 2, events=("alarm.raised",), enabled=False)
    assert await items(home.store, WEBHOOKS, USER, 10) == [webhook, other]
    assert await items(home.store, WEBHOOKS, USER, 1, webhook) == [other]
    assert await items(home.store, WEBHOOKS, OTHER_USER, 10) == []
    changed = msgspec.structs.replace(webhook, url="https://b.example/", secret="whsec_eA==")
    await home.store.update_webhook(changed)
    revised = msgspec.structs.replace(changed, revision=2)
    assert await home.store.webhook(USER, webhook.id) == revised
    await home.store.delete_webhook(OTHER_USER, webhook.id)
    await home.store.delete_webhook(USER, webhook.id)
    assert await items(home.store, WEBHOOKS, USER, 10) == [other]


async def test_there_is_a_bound_for_each_user(home: Home) -> None:
    for n in range(WEBHOOKS_MAX):
        await added(home, n)
    with refused("webhooks_full"):
        await added(home, WEBHOOKS_MAX)
    await added(home, WEBHOOKS_MAX, user_id=OTHER_USER)


async def test_alarms_are_told_in_the_commit_that_keeps_them_once(home: Home) -> None:
    webhook, foreign = await added(home), await added(home, 2, user_id=OTHER_USER)
    pending = alarm(home, state="pending", raised_us=None)
    assert not (await home.commit(of(alarms=(pending,)))).changed.told
    committed = await home.commit(of(alarms=(alarm(home),)))
    assert committed.changed.told
    await home.commit(of(alarms=(alarm(home),)))
    assert await told(home, webhook) == ["alarm.raised"]
    body = json.loads((await only(home, webhook)).body)
    assert (body["type"], body["data"]["id"]) == ("alarm.raised", alarm(home).id)
    assert body["data"]["device_id"] == home.device.id
    await home.store.acknowledge_alarms(USER, [alarm(home).id], NOW + SECOND)
    await home.store.acknowledge_alarms(USER, [alarm(home).id], NOW + SECOND)
    await home.commit(of(alarms=(alarm(home, state="cleared", cleared_us=NOW + 2),)))
    assert await told(home, webhook) == ["alarm.raised", "alarm.acknowledged", "alarm.cleared"]
    assert await told(home, foreign) == []


async def test_an_alarm_that_is_acknowledged_after_it_cleared_is_told_as_acknowledged(
    home: Home,
) -> None:
    webhook = await added(home)
    await home.commit(of(alarms=(alarm(home, state="cleared", cleared_us=NOW + 2),)))
    await home.store.acknowledge_alarms(USER, [alarm(home).id], NOW + SECOND)
    assert await told(home, webhook) == ["alarm.cleared", "alarm.acknowledged"]


async def test_what_comes_and_goes_within_one_commit_is_told_twice(home: Home) -> None:
    webhook = await added(home)
    over = alarm(home, state="cleared", cleared_us=NOW + 2)
    await home.commit(of(alarms=(alarm(home),)), of(alarms=(over,)))
    assert await told(home, webhook) == ["alarm.raised", "alarm.cleared"]


async def test_an_alarm_that_finds_its_place_taken_is_not_told(home: Home) -> None:
    webhook = await added(home)
    await home.commit(of(alarms=(alarm(home, 1),)))
    await home.commit(of(alarms=(alarm(home, 2),)))
    assert await told(home, webhook) == ["alarm.raised"]


async def test_ends_of_commands_are_told_by_what_ended_them(home: Home) -> None:
    webhook = await added(home)
    for n in range(1, 5):
        await home.store.add_command(some_command(home, n, parallel=True))
    await home.store.add_command(some_command(home, 5, expires_us=NOW + SECOND, parallel=True))
    committed = await home.commit(of(acks=(ack(home, "delivered", 1),)))
    assert not committed.changed.told
    said = (ack(home, "succeeded", 1, result='{"n":1}'), ack(home, "failed", 2))
    assert (await home.commit(of(acks=said))).changed.told
    await home.commit(of(acks=said))
    cancelled = await home.store.cancel_command(USER, some_command(home, 3).id, NOW)
    assert cancelled.told
    assert (await home.store.claim_commands(NOW + 2 * SECOND, 10)).changed.told
    wanted = ["succeeded", "failed", "cancelled", "expired"]
    assert await told(home, webhook) == [f"command.{state}" for state in wanted]


async def test_missed_schedules_are_told(home: Home) -> None:
    webhook = await added(home)
    await home.store.add_schedule(some_schedule(media_id=None), [NOW, NOW + 9 * SECOND])
    claimed = await home.store.claim_occurrences(NOW + SECOND, 10, Judge(home, fires=False))
    assert claimed.changed.told
    assert await told(home, webhook) == ["schedule.missed"]
    body = json.loads((await only(home, webhook)).body)
    assert body["data"]["detail"] == "the device was offline"
    assert (body["data"]["code"], body["data"]["params"]) == ("play_offline", {})


async def test_only_what_is_wanted_is_told_and_only_where_it_is_enabled(home: Home) -> None:
    some = await added(home, 1, events=("alarm.cleared",))
    none = await added(home, 2, enabled=False)
    await home.commit(of(alarms=(alarm(home),)))
    over = alarm(home, state="cleared", cleared_us=NOW + 2)
    await home.commit(of(alarms=(over,)))
    assert (await told(home, some), await told(home, none)) == (["alarm.cleared"], [])


async def test_beyond_its_room_a_webhook_hears_nothing_and_says_how_much(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.adapters.memory.store.webhooks.WAITING_MAX", 2)
    monkeypatch.setattr(webhook_outbox, "WAITING_MAX", 2)
    webhook = await added(home)
    for n in range(1, 5):
        await home.store.add_command(some_command(home, n, parallel=True))
    await home.commit(of(acks=tuple(ack(home, "failed", n) for n in range(1, 5))))
    found = await home.store.webhook(USER, webhook.id)
    assert found is not None
    assert (len(await told(home, webhook)), found.dropped) == (2, 2)
    with refused("deliveries_full"):
        await with_news(home, webhook)


async def test_a_claim_is_a_lease_and_comes_again(home: Home) -> None:
    webhook = await added(home)
    await with_news(home, webhook)
    (one,) = (await claim(home)).claims
    assert (one.url, one.secret) == (webhook.url, webhook.secret)
    assert (one.delivery.attempts, one.delivery.type) == (1, "webhook.test")
    nothing = await claim(home, 29)
    assert (nothing.claims, nothing.next_us) == ((), NOW + 30 * SECOND)
    assert [e.delivery.attempts for e in (await claim(home, 30)).claims] == [2]


async def test_what_was_taken_is_delivered_and_never_comes_again(home: Home) -> None:
    webhook = await added(home)
    await with_news(home, webhook)
    (one,) = (await claim(home)).claims
    await home.store.delivery_tried(one.delivery, GOOD, NOW + SECOND)
    found = await only(home, webhook)
    assert (found.state, found.last_status, found.finished_us) == ("delivered", 204, NOW + SECOND)
    assert await claim(home, 100_000) == ClaimedDeliveries()


async def test_who_fails_is_left_alone_for_a_while_with_all_that_waits(home: Home) -> None:
    webhook = await added(home)
    await with_news(home, webhook, 1)
    (one,) = (await claim(home)).claims
    await with_news(home, webhook, 2)
    await home.store.delivery_tried(one.delivery, BAD, NOW)
    found = await home.store.webhook(USER, webhook.id)
    assert found is not None
    assert (found.failures, found.paused_us) == (1, NOW + SECOND)
    waits = await claim(home, 0.5)
    assert (waits.claims, waits.next_us) == ((), NOW + SECOND)
    (second,) = (await claim(home, 1)).claims
    assert second.delivery.event_id[-1] == "2"
    await home.store.delivery_tried(second.delivery, BAD, NOW + SECOND)
    assert (await claim(home, 2.9)).claims == ()
    await home.store.update_webhook(webhook)  # whoever mends it need not wait
    found = await home.store.webhook(USER, webhook.id)
    assert found == msgspec.structs.replace(webhook, revision=2)
    first = (await items(home.store, DELIVERIES, USER, 10, webhook_id=webhook.id))[1]
    assert (first.state, first.last_status, first.detail) == ("pending", 500, "out of order")
    assert len((await claim(home, 3)).claims) == 2


async def test_a_clock_that_is_set_back_holds_nothing_for_long(home: Home) -> None:
    webhook = await added(home)
    await with_news(home, webhook)
    (one,) = (await claim(home, 100_000)).claims
    await home.store.delivery_tried(one.delivery, BAD, NOW + 100_000 * SECOND)
    assert len((await claim(home)).claims) == 1


async def test_no_more_than_a_few_of_each_and_none_of_the_busy(home: Home) -> None:
    hooks = [await added(home, n) for n in (1, 2, 3)]
    for hook in hooks:
        for n in (1, 2, 3):
            await with_news(home, hook, n)
    claimed = await claim(home, each=2, busy=[hooks[0].num])
    taken = [(e.delivery.webhook_num, int(e.delivery.event_id[-1])) for e in claimed.claims]
    assert taken == [(hook.num, n) for hook in hooks[1:] for n in (1, 2)]
    assert claimed.next_us is None
    assert len((await claim(home, limit=1)).claims) == 1


async def test_a_late_word_of_an_earlier_try_changes_nothing(home: Home) -> None:
    webhook = await added(home)
    await with_news(home, webhook)
    (first,) = (await claim(home)).claims
    (second,) = (await claim(home, 40)).claims
    await home.store.delivery_tried(second.delivery, GOOD, NOW + 41 * SECOND)
    await home.store.delivery_tried(first.delivery, BAD, NOW + 42 * SECOND)
    assert (await only(home, webhook)).state == "delivered"


async def test_why_a_try_failed_has_a_code_and_what_the_receiver_said_has_none(home: Home) -> None:
    webhook = await added(home)
    await with_news(home, webhook)
    silent = Detail("delivery_unanswered", seconds=10)
    for outcome, coded in ((webhooks.failed(silent), silent.coded), (BAD, None)):
        (one,) = (await claim(home, 100_000 if outcome is BAD else 0)).claims
        await home.store.delivery_tried(one.delivery, outcome, NOW)
        found = await only(home, webhook)
        assert (found.detail, found.coded) == (outcome.detail, coded)


async def test_what_is_dead_comes_again_when_its_user_asks(home: Home) -> None:
    webhook = await added(home)
    made = await with_news(home, webhook)
    (one,) = (await claim(home)).claims
    late_us = made.created_us + webhooks.GIVE_UP_S * SECOND
    await home.store.delivery_tried(one.delivery, BAD, late_us)
    (dead,) = await items(home.store, DELIVERIES, USER, 10, webhook_id=webhook.id, state="dead")
    assert (dead.finished_us, dead.detail) == (late_us, "out of order")
    assert (
        await items(home.store, DELIVERIES, USER, 10, webhook_id=webhook.id, state="pending") == []
    )
    assert await home.store.retry_delivery(OTHER_USER, webhook.id, made.id, NOW) is None
    again = await home.store.retry_delivery(USER, webhook.id, made.id, NOW)
    assert again is not None
    assert (again.state, again.attempts) == ("pending", 0)
    await home.store.update_webhook(webhook)
    (one,) = (await claim(home)).claims
    assert one.delivery.body == made.body


async def test_deliveries_are_listed_in_pages_and_go_with_their_webhook(home: Home) -> None:
    webhook = await added(home)
    made = [await with_news(home, webhook, n) for n in (1, 2, 3)]
    assert await items(home.store, DELIVERIES, USER, 2, webhook_id=webhook.id) == made[:0:-1]
    assert await items(home.store, DELIVERIES, USER, 2, made[1], webhook_id=webhook.id) == made[:1]
    assert await items(home.store, DELIVERIES, OTHER_USER, 2, webhook_id=webhook.id) == []
    (one, *_) = (await claim(home)).claims
    await home.store.delete_webhook(USER, webhook.id)
    await home.store.delivery_tried(one.delivery, GOOD, NOW)
    assert await claim(home) == ClaimedDeliveries()
    with refused("webhook_deleted"):
        await with_news(home, webhook)


async def test_users_whose_receivers_are_slow_enough_already_are_left_out(home: Home) -> None:
    mine = await added(home)
    other = await added(home, 2, user_id=OTHER_USER)
    for webhook in (mine, other):
        await with_news(home, webhook, webhook.num)
    found = await claim(home, crowded=[USER])
    assert [each.user_id for each in found.claims] == [OTHER_USER]
    assert found.next_us is None
    assert [each.user_id for each in (await claim(home)).claims] == [USER]
