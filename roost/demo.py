"""`roost up --demo`: a user and a handful of devices around Hanoi that publish over real MQTT.

Users and devices are stored in `demo.json` in the data directory, so that a restart uses the same
ones.
"""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import trio

from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.device import open_devices
from actors.adapters.system.clocks import Argon2Hasher
from actors.ports.people import AccountChange
from actors.service import Service
from protocol import codec
from protocol.device.topics import prefix
from protocol.errors import SettingsError, in_words
from protocol.ids import password_digest
from protocol.people.user import User
from protocol.times import SECOND_US
from roost.embedded.data_dir import write_private
from roost.fleet.device import Access, Talk, VirtualDevice
from roost.fleet.tally import Tally
from roost.fleet.weather import Place, Weather
from roost.provisioning import FeedWish, NewLogin, provision_device

EMAIL = "demo@roost.local"
EVERY_S = 2.0


PLACES = (
    Place("hoan-kiem", "Hồ Hoàn Kiếm", 21.0287, 105.8524, 27),
    Place("west-lake", "Hồ Tây", 21.0583, 105.8230, 26),
    Place("long-bien", "Cầu Long Biên", 21.0436, 105.8590, 28),
    Place("my-dinh", "Sân vận động Mỹ Đình", 21.0205, 105.7640, 29),
    Place("noi-bai", "Sân bay Nội Bài", 21.2187, 105.8042, 25),
)
# This device is not simulated: it is for the user's own first message.
WORKBENCH = Place("workbench", "Your own device", 21.0278, 105.8342, 25)
FEEDS = (
    FeedWish("temperature", "Temperature", "°C", -40, 85),
    FeedWish("humidity", "Humidity", "%", 0, 100),
)


class Demo(msgspec.Struct):
    password: str
    user_id: str
    logins: dict[str, NewLogin] = {}


async def run(service: Service, broker: Address, url: str, path: Path) -> None:
    """Create what is missing, print the login, and publish until cancelled."""
    made = await _make(service, path / "demo.json")
    for line in await _lines(service, made, broker, url):
        print(line, flush=True)
    session = service.clock.now_us() // SECOND_US
    async with open_devices() as connect, trio.open_nursery() as nursery:
        for place in PLACES:
            nursery.start_soon(_device(broker, made, place, session).live, connect)


async def _lines(service: Service, made: Demo, broker: Address, url: str) -> list[str]:
    """How to sign in and to publish; nothing that somebody has changed since."""
    user = await service.store.user_by_email(EMAIL)
    hashed = None if user is None else user.password_hash
    if await Argon2Hasher().verify(hashed, made.password):
        secret = f"password {made.password}"
    else:
        secret = f"(its password was changed; roost user reset {EMAIL} sets another)"
    lines = [f"demo   {url}  e-mail {EMAIL}  {secret}"]
    login = made.logins[WORKBENCH.code]
    known = (await service.store.logins([login.client_id])).get(login.client_id)
    if known is not None and known.password_sha256 == password_digest(login.password):
        topic = prefix(made.user_id, WORKBENCH.code)
        lines.append(
            f"try    mosquitto_pub -h {broker.host} -p {broker.port} -i {login.client_id}"
            f" -u {login.client_id} -P {login.password} -q 1 -t {topic}/feeds/temperature -m 25.5"
        )
    return lines


async def _make(service: Service, file: Path) -> Demo:
    made = _read(file)
    user = await service.store.user_by_email(EMAIL)
    if made is None or user is None:
        made = await _make_user(service, user)
    for place in (*PLACES, WORKBENCH):
        if place.code not in made.logins:
            made.logins[place.code] = await provision_device(
                service.store,
                service.clock,
                service.ids,
                made.user_id,
                place.code,
                place.name,
                FEEDS,
            )
    write_private(file, codec.encode(made))
    return made


def _read(file: Path) -> Demo | None:
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Demo)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} cannot be read: {in_words(error)}; remove it to start again"
        ) from None


async def _make_user(service: Service, known: User | None) -> Demo:
    password = service.ids.secret()
    hashed = await Argon2Hasher().hash(password)
    if known is not None:  # its password is lost with demo.json: set a new one
        changed = msgspec.structs.replace(known, password_hash=hashed)
        await service.store.update_user(AccountChange(user=changed))
        return Demo(password, known.id)
    user = User(
        id=service.ids.uuid(),
        email=EMAIL,
        full_name="Demo",
        password_hash=hashed,
        created_us=service.clock.now_us(),
        email_verified_us=service.clock.now_us(),
    )
    await service.store.add_user(user)
    return Demo(password, user.id)


def _device(broker: Address, made: Demo, place: Place, session: int) -> VirtualDevice:
    login = made.logins[place.code]
    topic = prefix(made.user_id, place.code)
    return VirtualDevice(
        broker,
        Access(login.client_id, login.client_id, login.password, topic),
        _talk(place),
        period_s=EVERY_S,
        tally=Tally(),
        rng=random.Random(place.code),
        session=session,
        entering=trio.CapacityLimiter(1),
    )


def _talk(place: Place) -> Talk:
    """A status and two readings."""
    weather = Weather(place)

    def talk() -> Iterable[tuple[str, Any]]:
        weather.go_on()
        yield "status", weather.status("demo-1.0")
        yield "feeds", {"temperature": weather.temperature, "humidity": weather.humidity}

    return talk
