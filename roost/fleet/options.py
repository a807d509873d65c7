"""Options of a virtual fleet, checked before anything is done."""

import math
from pathlib import Path

import msgspec

from actors.adapters.mqtt.broker import parse_url
from protocol.device.topics import is_device_code
from protocol.errors import SettingsError
from roost.settings import check_base_url, parse_bind

DEVICES_MAX = 50_000
RATE_MAX = 100_000.0
DIGITS = 5


class FleetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options.

    Attributes:
        rate: readings a second of all devices together.
        seconds: duration; None: until it is stopped.
        mqtt_url: the address that devices connect to; None: as the server shows it.
    """

    devices: int
    rate: float
    seconds: float | None
    url: str
    mqtt_url: str | None
    email: str | None
    password: str | None
    prefix: str
    data_dir: Path

    @property
    def codes(self) -> list[str]:
        return [f"{self.prefix}-{n:0{DIGITS}}" for n in range(1, self.devices + 1)]


def check_options(options: FleetOptions) -> FleetOptions:
    """The same options, with a complete URL (`127.0.0.1:8000` is enough). Raises
    `SettingsError`."""
    if not 1 <= options.devices <= DEVICES_MAX:
        raise SettingsError(f"devices: {options.devices} is not between 1 and {DEVICES_MAX:,}")
    if not 0 < options.rate <= RATE_MAX:
        raise SettingsError(f"rate: {options.rate:g} is not above 0 and at most {RATE_MAX:,g}")
    if options.seconds is not None and not 0 < options.seconds < math.inf:
        raise SettingsError(f"seconds: {options.seconds:g} is not above 0")
    if not (is_device_code(options.prefix) and is_device_code(options.codes[-1])):
        raise SettingsError(f"prefix: {options.prefix!r} is not 1 to 58 of A-Z, a-z, 0-9, _ and -")
    if options.mqtt_url is not None:
        parse_url(options.mqtt_url)
    url = options.url if "://" in options.url else _local(options.url)
    if "@" in url:
        raise SettingsError("url: name the account with --email instead")
    return msgspec.structs.replace(options, url=check_base_url(url, "url"))


def _local(bind: str) -> str:
    """Like for `roost up`: `HOST:PORT`, or `:PORT` for this machine."""
    where = parse_bind(bind, "url")
    if where.host in ("0.0.0.0", "::"):
        where = msgspec.structs.replace(where, host="127.0.0.1")
    return f"http://{where.shown}"
