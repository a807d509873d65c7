"""The demo's account: its user, its devices and their logins.

Password and logins are stored in `demo.json` in the data directory, so that a restart uses the same
ones.
"""

from pathlib import Path

import msgspec

from actors.adapters.mqtt.client import Address
from actors.adapters.system.clocks import Argon2Hasher
from actors.ports.people import AccountChange
from actors.service import Service
from protocol import codec
from protocol.device.topics import prefix
from protocol.errors import SettingsError, in_words
from protocol.ids import password_digest
from protocol.people.user import User
from protocol.times import SECOND_US
from roost.demo.business import PLACES, WORKBENCH, Sensor
from roost.embedded.data_dir import write_private
from roost.provisioning import FeedWish, NewLogin, provision_device

EMAIL = "demo@roost.local"
# The demo's times are multiples of the interval of its history.
BEGINS_AT_US = 600 * SECOND_US


class Demo(msgspec.Struct):
    """Attributes:
    began_us: `EPISODES` count from there.
    told_us: up to when the devices have sent their history; 0: not at all.
    is_staged: whether shop, media and schedules are there.
    """

    password: str
    user_id: str
    logins: dict[str, NewLogin] = {}
    began_us: int = 0
    told_us: int = 0
    is_staged: bool = False


class Account:
    """The demo as it is stored. Change `demo` and `save` it."""

    def __init__(self, service: Service, data_dir: Path) -> None:
        self.demo: Demo
        self._service = service
        self._data_dir = data_dir
        self._file = data_dir / "demo.json"

    def save(self) -> None:
        write_private(self._file, codec.encode(self.demo))

    async def make(self) -> None:
        """Create what is missing of the user and the devices."""
        service = self._service
        user = await service.store.user_by_email(EMAIL)
        known = self._read()
        self.demo = await self._make_user(user) if known is None or user is None else known
        for place in (*PLACES, WORKBENCH):
            if place.code not in self.demo.logins:
                self.demo.logins[place.code] = await provision_device(
                    service.store,
                    service.clock,
                    service.ids,
                    self.demo.user_id,
                    place.code,
                    place.name,
                    [_wish(sensor) for sensor in place.sensors],
                )
        self.save()

    async def lines(self, broker: Address, url: str) -> list[str]:
        """How to sign in, to publish, and to get rid of it; nothing that somebody has changed
        since."""
        demo, store = self.demo, self._service.store
        user = await store.user_by_email(EMAIL)
        hashed = None if user is None else user.password_hash
        if await Argon2Hasher().verify(hashed, demo.password):
            secret = f"password {demo.password}"
        else:
            reset = f"roost user reset {EMAIL} --data-dir {self._data_dir}"
            secret = f"(its password was changed; {reset} sets another)"
        lines = [f"demo   {url}  e-mail {EMAIL}  {secret}"]
        login = demo.logins[WORKBENCH.code]
        known = (await store.logins([login.client_id])).get(login.client_id)
        if known is not None and known.password_sha256 == password_digest(login.password):
            topic = prefix(demo.user_id, WORKBENCH.code)
            tls = " --cafile CA.pem" if broker.ssl else ""
            lines.append(
                f"try    mosquitto_pub -h {broker.host} -p {broker.port}{tls} -i {login.client_id}"
                f" -u {login.client_id} -P {login.password} -q 1"
                f" -t {topic}/feeds/temperature -m 25.5"
            )
        lines.append(f"note   all data of the demo is in {self._data_dir}; delete it to remove it")
        return lines

    def _read(self) -> Demo | None:
        if not self._file.exists():
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Demo)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{self._file} cannot be read: {in_words(error)}; remove it to start again"
            ) from None

    async def _make_user(self, known: User | None) -> Demo:
        service = self._service
        password = service.ids.secret()
        hashed = await Argon2Hasher().hash(password)
        now_us = service.clock.now_us()
        demo = Demo(password, service.ids.uuid(), began_us=now_us - now_us % BEGINS_AT_US)
        if known is not None:  # its password is lost with demo.json: set a new one
            changed = msgspec.structs.replace(known, password_hash=hashed)
            await service.store.update_user(AccountChange(user=changed))
            return msgspec.structs.replace(demo, user_id=known.id)
        user = User(
            id=demo.user_id,
            email=EMAIL,
            full_name="Cà phê Sông Hàn",
            password_hash=hashed,
            created_us=now_us,
            email_verified_us=now_us,
        )
        await service.store.add_user(user)
        return demo


def _wish(sensor: Sensor) -> FeedWish:
    return FeedWish(
        sensor.key,
        sensor.name,
        sensor.unit,
        sensor.min_value,
        sensor.max_value,
        on_violation="flag" if sensor.has_alarm else "reject",
        alarm=sensor.alarm,
    )
