"""Whoever changes settings that are others by now is told so: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.ports.people import AccountChange
from protocol.errors import Outdated
from tests.contract.test_store import Home
from tests.contract.test_store_people import known
from tests.contract.test_store_schedules import some_schedule
from tests.contract.test_store_webhooks import some_webhook
from tests.unit.makers import USER


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


async def nouns(home: Home) -> dict[str, tuple[Any, Any, Any]]:
    """For each noun: a record of it, how it is changed, and how it is read."""
    store = home.store
    webhook = await store.add_webhook(some_webhook())
    schedule = await store.add_schedule(some_schedule(media_id=None), [])
    feed = home.feeds["number"]
    return {
        "user": (
            await known(home, USER),
            lambda changed, **more: store.update_user(AccountChange(user=changed, **more)),
            lambda: store.user(USER),
        ),
        "device": (
            home.device,
            store.update_device,
            lambda: store.device(USER, home.device.id),
        ),
        "feed": (feed, store.update_feed, lambda: store.feed(USER, feed.id)),
        "webhook": (webhook, store.update_webhook, lambda: store.webhook(USER, webhook.id)),
        "schedule": (
            schedule,
            lambda changed, **more: store.update_schedule(changed, [], **more),
            lambda: store.schedule(USER, schedule.id),
        ),
    }


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "user": ({"full_name": "A"}, {"full_name": "B"}),
    "device": ({"name": "A"}, {"name": "B"}),
    "feed": ({"name": "A"}, {"name": "B"}),
    "webhook": ({"description": "A"}, {"description": "B"}),
    "schedule": ({"grace_s": 1}, {"grace_s": 2}),
}


@pytest.mark.parametrize("noun", CHANGES)
async def test_of_two_changes_from_one_revision_the_second_is_refused(
    home: Home, noun: str
) -> None:
    record, update, read = (await nouns(home))[noun]
    first, second = CHANGES[noun]
    (field,) = first
    assert record.revision == 1
    await update(msgspec.structs.replace(record, **first), known=1)
    found = await read()
    assert (getattr(found, field), found.revision) == (first[field], 2)
    with pytest.raises(Outdated):
        await update(msgspec.structs.replace(record, **second), known=1)
    assert await read() == found
    await update(msgspec.structs.replace(record, **second))  # whatever there is
    found = await read()
    assert (getattr(found, field), found.revision) == (second[field], 3)
