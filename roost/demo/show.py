"""Runs the demo: its account first, then everything else behind it.

    await run(service, broker, url, data_dir, last)     # until cancelled

The data directory is the demo's own (`data_dir_of`), so nothing of it can mix with anybody's data.
"""

from pathlib import Path

import structlog
import trio

from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.device import open_devices
from actors.service import Service
from protocol.device.alarms import CLEARED, Alarm
from protocol.rest.listing import ALARMS, Listing
from protocol.times import SECOND_US
from roost.demo.account import Account, Demo
from roost.demo.business import PLACES
from roost.demo.devices import DemoDevice
from roost.demo.office import add_office
from roost.demo.readings import HISTORY_US
from roost.demo.shop import add_shop
from roost.demo.signage import add_signage

log = structlog.get_logger("roost.demo")

# Somebody acknowledged an alarm of the history so soon after it was raised.
ACKNOWLEDGED_AFTER_US = 900 * SECOND_US
ALARMS_MAX = 100


def data_dir_of(data_dir: Path) -> Path:
    """Where the demo of a data directory has its own."""
    return data_dir / "demo"


async def run(service: Service, broker: Address, url: str, data_dir: Path, last: str) -> None:
    """Create what is missing, print the login and a last line, and publish until cancelled."""
    account = Account(service, data_dir)
    await account.make()
    for line in (*await account.lines(broker, url), last):
        print(line, flush=True)
    demo, now_us = account.demo, service.clock.now_us()
    since_us = max(demo.told_us, now_us - HISTORY_US)
    devices = [
        DemoDevice(
            place,
            service.clock,
            broker,
            demo.user_id,
            demo.logins[place.code],
            demo.began_us,
            since_us,
            now_us,
        )
        for place in PLACES
        if not (place.is_away and demo.told_us)  # it left for good
    ]
    async with open_devices() as connect, trio.open_nursery() as nursery:
        for device in devices:
            nursery.start_soon(device.virtual.live, connect)
        if not demo.is_staged:
            await add_shop(service.store, demo.user_id, now_us)
            await add_signage(service, demo.user_id, demo.logins, now_us)
            await add_office(service, demo.user_id, now_us)
            demo.is_staged = True
            account.save()
        for device in devices:
            await device.told.wait()
        await _acknowledge(service, demo)
        demo.told_us = now_us
        account.save()
        log.info("the history of the demo is complete")


async def _acknowledge(service: Service, demo: Demo) -> None:
    """Alarms that are over were seen by somebody then."""
    await service.writer.barrier()
    listing = Listing(limit=ALARMS_MAX, filters={"state": (CLEARED,)})
    for _, alarm in await service.store.listed(ALARMS, demo.user_id, listing):
        if isinstance(alarm, Alarm) and (alarm.raised_us or demo.began_us) < demo.began_us:
            at_us = (alarm.raised_us or 0) + ACKNOWLEDGED_AFTER_US
            await service.changes.acknowledge_alarms(demo.user_id, [alarm.id], at_us)
