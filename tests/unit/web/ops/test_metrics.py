"""Histograms on `/metrics`: what they count, and since when."""

from collections.abc import Mapping

import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from actors.ports.broker import Delivery
from actors.service import Service
from tests.unit.site import Site

SESSION = "roost-part-0"
SLOW_S = 0.3


async def histogram(site: Site, name: str, **labels: str) -> Mapping[str, float]:
    """How many values are not above each bound, and their `sum`."""
    page = await (await site.raw("GET", "/metrics")).get_data(as_text=True)
    (family,) = (each for each in text_string_to_metric_families(page) if each.name == name)
    assert family.type == "histogram"
    found = {}
    for sample in family.samples:
        rest = dict(sample.labels)
        bound = rest.pop("le", sample.name.removeprefix(name + "_"))
        if rest == labels:
            found[bound] = sample.value
    return found


def publish(service: Service, topic: str, payload: bytes, packet_id: int) -> None:
    connection = service.own_sessions.connections()[SESSION]
    service.gateway.deliver(Delivery(SESSION, connection, packet_id, False, False, topic, payload))


async def test_a_message_waits_from_its_arrival_to_its_commit(site: Site) -> None:
    device = await site.device()
    await site.post("/feeds", {"key": "t", "name": "t"})
    topic = f"{device['mqtt']['topic_prefix']}/feeds/t"
    store, commit = site.service.writer._store, site.service.writer._store.commit

    async def slowly(batch):  # type: ignore[no-untyped-def]
        await trio.sleep(SLOW_S)
        return await commit(batch)

    before = await histogram(site, "roost_commit_batch_rows")
    store.commit = slowly  # type: ignore[method-assign]
    publish(site.service, topic, b"1", 1)
    publish(site.service, topic, b"2", 2)
    while site.service.counters.total.in_flight:
        await trio.testing.wait_all_tasks_blocked(0.01)
    waited = await histogram(site, "roost_message_commit_seconds")
    assert (waited["+Inf"], waited["0.25"]) == (2, 0)
    assert waited["sum"] >= 2 * SLOW_S
    rows = await histogram(site, "roost_commit_batch_rows")
    assert rows["sum"] - before["sum"] == 2
    assert rows["+Inf"] - before["+Inf"] == 1
    took = await histogram(site, "roost_commit_duration_seconds")
    assert took["+Inf"] - took["0.25"] == 1


async def test_requests_are_told_apart_by_their_operation(site: Site) -> None:
    await site.call("GET", "/devices")
    await site.call("GET", "/devices/1234")  # refused, and answered nevertheless
    asked = await histogram(site, "roost_request_seconds", operation="list_devices")
    assert asked["+Inf"] == 1
    refused = await histogram(site, "roost_request_seconds", operation="show_device")
    assert refused["+Inf"] == 1
