"""`roost simulate`: a virtual fleet over real MQTT, and a check that all its readings were stored.

It only uses public interfaces: REST to create an account and devices, MQTT to report.
"""

import random
import resource
import signal
import sys

import msgspec
import trio

from actors.adapters.mqtt.broker import parse_url
from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.device import Connect, open_devices
from actors.adapters.system.clocks import SystemClock, SystemIds
from actors.runtime.clock import WallClock
from protocol.errors import RoostError, SettingsError
from protocol.times import SECOND_US
from roost.embedded import data_dir
from roost.fleet.account import open_account
from roost.fleet.comparing import Comparison
from roost.fleet.device import Access, VirtualDevice
from roost.fleet.enrolling import enroll, sign_in
from roost.fleet.options import FleetOptions
from roost.fleet.remembered import Memory, Owner
from roost.fleet.screen import Screen
from roost.fleet.tally import Tally
from roost.fleet.weather import report, somewhere

ENTERING_MAX = 32  # devices that connect at once
FILES_BESIDE = 64  # open files that are not devices


async def simulate(options: FleetOptions) -> None:
    """Run until its time is over, SIGTERM or Ctrl-C; a second Ctrl-C ends it at once.

    Raises:
        SettingsError: the options cannot be used.
        RoostError: devices could not connect, less was stored than was acknowledged, or more than
        was sent.
        KeyboardInterrupt: it was interrupted before its end.
    """
    _allow_files(options.devices + FILES_BESIDE)
    clock = SystemClock()
    with data_dir.locked(options.data_dir, "fleet", "another fleet") as path:
        memory = Memory(path / "fleet.json")
        with Screen(sys.stdout) as screen:
            async with open_account(options.url) as account:
                owner = await sign_in(
                    account, memory, SystemIds(), options.url, options.email, options.password
                )
                codes, prefix = options.codes, f"{options.prefix}-"
                own, mqtt_url = await enroll(account, memory, owner, codes, prefix, screen)
                broker = _broker(options.mqtt_url or mqtt_url)
                _greet(options, owner, broker, screen)
                is_alone = await account.count_devices() == own
                comparison = Comparison(account, clock) if is_alone else None
                try:
                    await _report(options, owner, broker, comparison, screen, clock)
                finally:
                    memory.save()


async def _report(
    options: FleetOptions,
    owner: Owner,
    broker: Address,
    comparison: Comparison | None,
    screen: Screen,
    clock: WallClock,
) -> None:
    """From the first connection to the result."""
    if comparison is not None:
        screen.show("counting what is stored already")
        await comparison.begin()
    tally, entering = Tally(), trio.CapacityLimiter(ENTERING_MAX)
    devices = {
        code: _device(code, owner.devices[code], broker, options, tally, clock, entering)
        for code in options.codes
    }
    await _run(list(devices.values()), tally, options.seconds, screen)
    screen.say(
        f"sent {tally.sent:,}, acknowledged {tally.acknowledged:,} ({tally.latency()}),"
        f" commands carried out {tally.commands:,}"
    )
    never = [code for code, device in devices.items() if not device.was_connected]
    for code in never:  # if their passwords are unknown, the next run sets new ones
        del owner.devices[code]
    if comparison is None and tally.sent:
        screen.say("not compared with what is stored: the account has other devices, too")
    if comparison is not None and tally.sent:
        await comparison.finish(tally, screen)
    if never:
        why = tally.trouble or "there was no time for it"
        raise RoostError(f"{len(never):,} of {options.devices:,} devices never connected: {why}")


def _allow_files(needed: int) -> None:
    """Raises `SettingsError` if the system allows less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise SettingsError(f"devices: the system allows {hard - FILES_BESIDE} connections")
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _broker(url: str) -> Address:
    if not url:
        raise SettingsError("the server does not show where devices connect: use --mqtt-public-url")
    return parse_url(url)


def _greet(options: FleetOptions, owner: Owner, broker: Address, screen: Screen) -> None:
    screen.say(
        f"fleet  {options.devices:,} devices of {owner.email}, {options.rate:,g} readings a second"
        f" to {broker.host}:{broker.port}; Ctrl-C ends it"
    )
    if owner.password is not None:
        screen.say(f"look   {options.url}  e-mail {owner.email}  password {owner.password}")


def _device(
    code: str,
    access: Access,
    broker: Address,
    options: FleetOptions,
    tally: Tally,
    clock: WallClock,
    entering: trio.CapacityLimiter,
) -> VirtualDevice:
    if broker.username is not None:  # the broker's own login is used for every device
        access = msgspec.structs.replace(
            access, username=broker.username, password=broker.password or ""
        )
    return VirtualDevice(
        broker,
        access,
        report(somewhere(code), clock),
        period_s=options.devices / options.rate,
        tally=tally,
        rng=random.Random(code),
        session=clock.now_us() // SECOND_US,
        entering=entering,
    )


async def _run(
    devices: list[VirtualDevice], tally: Tally, seconds: float | None, screen: Screen
) -> None:
    """Raises `KeyboardInterrupt` if it was interrupted before its end."""
    is_over = False
    async with open_devices() as connect, trio.open_nursery() as nursery:
        nursery.start_soon(_end, devices, seconds, nursery.cancel_scope)
        nursery.start_soon(_watch, tally, len(devices), screen)
        await _live(devices, connect)
        is_over = True
        nursery.cancel_scope.cancel()
    if not is_over:
        raise KeyboardInterrupt


async def _live(devices: list[VirtualDevice], connect: Connect) -> None:
    async with trio.open_nursery() as nursery:
        for device in devices:
            nursery.start_soon(device.live, connect)


async def _end(
    devices: list[VirtualDevice], seconds: float | None, scope: trio.CancelScope
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            await anext(signals)
        for device in devices:
            device.stop()
        await anext(signals)
        scope.cancel()


async def _watch(tally: Tally, devices: int, screen: Screen) -> None:
    while True:
        await trio.sleep(screen.every_s)
        screen.show(tally.line(devices))
