"""Alarms over REST: acknowledged one by one or together, also after they cleared."""

from actors.ports.store import Batch
from protocol.device.alarms import ACTIVE, CLEARED, Alarm
from protocol.records import WriteUnit
from tests.unit.site import Site
from tests.unit.web.api.test_readings import START, feed

FIRST, SECOND = (f"00000000-0000-4000-a000-{n:012d}" for n in (1, 2))
UNKNOWN = "00000000-0000-4000-a000-000000000009"


async def raised(site: Site, alarm_id: str, state: str) -> str:
    """An alarm of a device of its own; the id of its feed."""
    added = await site.device(f"d{alarm_id[-1]}")
    made = await feed(site, device_id=added["id"])
    _, me = await site.call("GET", "/users/me")
    device = await site.service.store.device(me["id"], added["id"])
    stored = await site.service.store.feed(me["id"], made["id"])
    assert device is not None
    assert stored is not None
    alarm = Alarm(
        id=alarm_id,
        user_id=me["id"],
        device_num=device.num,
        device_id=device.id,
        feed_num=stored.num,
        feed_id=stored.id,
        kind="threshold",
        severity="warning",
        state=state,
        since_us=START,
        raised_us=START,
        cleared_us=START if state == CLEARED else None,
    )
    unit = WriteUnit(device=device.key, alarms=(alarm,))
    await site.service.store.commit(Batch(id=site.service.ids.uuid(), units=[unit], confirmed={}))
    return str(made["id"])


async def test_what_cleared_unseen_is_listed_until_somebody_acknowledges_it(site: Site) -> None:
    feed_id = await raised(site, FIRST, CLEARED)
    await raised(site, SECOND, ACTIVE)

    async def unseen(more: str = "") -> list[str]:
        _, page = await site.call("GET", f"/alarms?acknowledged=false{more}")
        return [each["id"] for each in page["items"]]

    assert await unseen() == [SECOND, FIRST]
    assert await unseen(f"&feed_id={feed_id}") == [FIRST]
    status, done = await site.post(f"/alarms/{FIRST}/ack", {})
    assert (status, done["state"]) == (200, "cleared")
    assert done["acknowledged_at"] is not None
    assert await unseen() == [SECOND]


async def test_several_are_acknowledged_at_once(site: Site) -> None:
    await raised(site, FIRST, CLEARED)
    await raised(site, SECOND, ACTIVE)
    asked = {"ids": [SECOND, FIRST.upper(), UNKNOWN]}
    status, page = await site.post("/alarms/ack", asked)
    assert status == 200
    seen = [(each["id"], each["state"]) for each in page["items"]]
    assert seen == [(FIRST, "cleared"), (SECOND, "acknowledged")]
    for wrong in ([], ["x"], [FIRST] * 1001):
        status, _ = await site.post("/alarms/ack", {"ids": wrong})
        assert status == 422
