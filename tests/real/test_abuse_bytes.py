"""Attempts to fill the disk: refused messages, messages that are never released, and a disk that is
nearly full (`docs/security.md`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.adapters.nats.store_bounds import UNRELEASED_EACH
from roost.embedded.broker_store import BYTES_MIN
from roost.embedded.disk import free_bytes
from tests.real.harness import DeviceClient, Person, Roost, eventually, metric, running
from tests.real.test_abuse import serves_others
from tests.real.test_servers_heal import (
    PATIENCE,
    Publisher,
    disk,
    readiness,
    restarts,
    served,
)
from tests.support.mqtt_line import Line, publication

KEPT, SAID = 50, 300
NEARLY_FULL_BYTES = 50 << 20  # more than the embedded servers need for a restart


@pytest.fixture(scope="module")
def roost(begun_for_all: Path) -> Iterator[Roost]:
    with running(begun_for_all, "--device-refusals-per-hour", str(KEPT)) as service:
        yield service


def line(roost: Roost, access: dict[str, Any]) -> Line:
    return Line(roost.mqtt_port, access["client_id"], access["username"], access["password"])


def test_refusals_beyond_the_budget_are_counted_told_and_not_kept(
    roost: Roost, ada: Person
) -> None:
    made = ada.device("refused", "t")
    client = DeviceClient(roost, made["mqtt"])
    client.subscribe("errors")
    for _ in range(SAID):
        client.publish("feeds/t", b"not json")
    account = eventually(
        lambda: ada.get(f"/devices/{made['id']}/account"),
        lambda found: found["refused"] == SAID and found["refusals_not_kept"] == SAID - KEPT,
    )
    assert account["refusals_not_kept_at"]
    assert len(ada.rejected()) == KEPT
    assert metric(roost, "roost_refusals_not_kept_total") == SAID - KEPT
    assert client.next() is not None
    one, *_ = ada.rejected()
    assert ada.call("DELETE", f"/rejected-messages/{one['id']}").status_code == 204
    assert ada.call("DELETE", "/rejected-messages").json() == {"deleted": KEPT - 1}
    assert ada.rejected() == []
    client.publish("feeds/t", {"value": 1})
    eventually(lambda: ada.values(made["feeds"]["t"]), lambda found: found == [1])
    serves_others(roost, "refused-other")


def test_messages_that_are_never_released_go_and_their_client_with_them(
    roost: Roost, ada: Person
) -> None:
    """The broker once kept them for ever, also those on forbidden topics."""
    honest = ada.device("honest", "t")
    releasing = line(roost, honest["mqtt"])
    topic = f"{honest['mqtt']['topic_prefix']}/feeds/t"
    assert releasing.publish([publication(topic, b"21.5", 7, 2)]) == 1
    flooding = line(roost, ada.device("flooding")["mqtt"])
    never = (publication("forbidden/x", b"x" * 1024, n, 2) for n in range(1, 65_536))
    assert flooding.publish(never) >= UNRELEASED_EACH
    said = '"event": "messages that were never released are deleted, their client disconnected"'
    eventually(lambda: said in roost.log, bool)
    releasing.release(7)
    eventually(lambda: ada.values(honest["feeds"]["t"]), lambda found: found == [21.5])
    flooding.close()
    releasing.close()
    serves_others(roost, "flooding-other")


def test_on_a_nearly_full_disk_nothing_new_is_taken_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    """Messages were once accepted until PostgreSQL had no room for its log, and ended."""
    with disk(tmp_path / "disk", f"size={300 << 20}") as folder:
        (tmp_path / "data").symlink_to(folder)  # the service's log is on another disk
        options = ("--broker-bytes-max", str(BYTES_MIN))
        with running(tmp_path, *PATIENCE, *options) as roost:
            ada = roost.user()
            publisher = Publisher(roost, ada, "nearly-full")
            publisher.goes_on()
            with (folder / "fill").open("wb") as out:
                while free_bytes(folder) > NEARLY_FULL_BYTES:
                    out.write(bytes(1 << 20))
                    out.flush()
            checks = eventually(
                lambda: readiness(roost, ada)[1],
                lambda found: found["disk"].startswith("nearly full: "),
            )
            assert checks["database"] == "ok"
            (device,) = ada.get("/devices")["items"]
            # Messages accepted before are committed.
            eventually(lambda: ada.get(f"/devices/{device['id']}/account")["in_flight"] == 0)
            stored = ada.get("/feeds")["items"][0]["last_value"]
            for _ in range(10):
                publisher.goes_on()  # the broker accepts what it has room for
            assert ada.get("/feeds")["items"][0]["last_value"] == stored
            refused = ada.call("POST", "/feeds", json={"key": "k", "name": "k", "kind": "number"})
            assert refused.status_code == 507
            assert int(refused.headers["retry-after"]) > 0
            (folder / "fill").unlink()
            served(roost, ada, publisher)
            publisher.end()
            assert restarts(roost) == []
            assert '"event": "nothing new is taken: the disk is nearly full"' in roost.log
            assert '"event": "messages are taken again"' in roost.log
