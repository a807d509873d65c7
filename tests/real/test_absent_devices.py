"""Commands for devices that are away, with a session that the broker keeps."""

import time
from functools import partial

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually

TRIES, TRIED_WITHIN_S = 3, 40.0  # the third after 15 seconds
SILENT_S = 5.0  # the first pause of a command


def came(client: DeviceClient, within_s: float) -> int:
    """How many commands came within so many seconds."""
    until_s, many = time.monotonic() + within_s, 0
    while (left_s := until_s - time.monotonic()) > 0:
        found = client.next(left_s)
        many += found is not None and found[0].endswith("/commands")
    return many


@pytest.mark.parametrize("speaks", [True, False])
def test_a_command_for_an_absent_device_is_delivered_once_and_again_after_silence(
    roost: Roost, ada: Person, speaks: bool
) -> None:
    device = ada.device(f"away-{speaks}")
    opened = partial(DeviceClient, roost, device["mqtt"], clean=False)
    client = opened()
    client.subscribe("commands")
    client.publish("status", {"status": "online"})
    client.publish("status", {"status": "offline"})
    client.close()
    command = ada.post(f"/devices/{device['id']}/commands", {"type": "beep"})
    # While it is away it is tried again and again, and the broker has it.
    eventually(
        lambda: ada.get(f"/commands/{command['id']}")["attempts"],
        lambda attempts: attempts >= TRIES,
        within_s=TRIED_WITHIN_S,
    )
    client = opened()
    if speaks:
        client.publish("status", {"status": "online"})
    assert came(client, SILENT_S - 1) == 1
    if speaks:
        assert came(client, SILENT_S) == 1  # it stayed silent
        client.publish(f"commands/{command['id']}/ack", {"status": "succeeded"})
        eventually(lambda: ada.get(f"/commands/{command['id']}")["state"] == "succeeded")
        assert came(client, SILENT_S) == 0
    client.close()
