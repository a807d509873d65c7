"""Creates users and devices without the web: for the command line and the demo."""

from collections.abc import Sequence

import msgspec

from actors.access.mqtt_credentials import client_id_of, new_login
from actors.ports.ids import Hasher, Ids
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from protocol.device.alarms import AT_ONCE, AlarmRule
from protocol.device.payloads import RESERVED
from protocol.device.topics import is_device_code, is_feed_key
from protocol.errors import Conflict, Invalid, SettingsError
from protocol.people.passwords import check_new, normal
from protocol.people.user import User
from protocol.records import Device, Feed


class NewLogin(msgspec.Struct, frozen=True):
    """A device's login; its user name is its client id."""

    device_id: str
    client_id: str
    password: str


class FeedWish(msgspec.Struct, frozen=True):
    key: str
    name: str
    unit: str | None = None
    min_value: float | None = None
    max_value: float | None = None
    on_violation: str = "reject"
    alarm: AlarmRule = AT_ONCE


async def provision_user(
    store: Store, clock: WallClock, ids: Ids, hasher: Hasher, email: str, password: str
) -> User:
    """Create a user. Raises `SettingsError` if the address has an account or is invalid."""
    if email.count("@") != 1 or len(password) < 8:
        raise SettingsError("a user needs an email address and a password of 8 characters or more")
    try:
        check_new(password)
    except Invalid as error:
        raise SettingsError(f"the password {error.errors['password']}") from None
    user = User(
        id=ids.uuid(),
        email=normal(email),
        full_name=None,
        password_hash=await hasher.hash(normal(password)),
        created_us=clock.now_us(),
        email_verified_us=clock.now_us(),  # the operator says whose address it is
    )
    try:
        await store.add_user(user)
    except Conflict as error:
        raise SettingsError(error.detail) from None
    return user


async def provision_device(
    store: Store,
    clock: WallClock,
    ids: Ids,
    user_id: str,
    code: str,
    name: str,
    feeds: Sequence[FeedWish],
) -> NewLogin:
    """Create a device with number feeds. Raises `SettingsError` for an invalid code or key."""
    if not is_device_code(code):
        raise SettingsError(f"device code: {code!r} is not 1 to 64 of A-Z, a-z, 0-9, _ and -")
    for feed in feeds:
        if not is_feed_key(feed.key) or feed.key in RESERVED:
            raise SettingsError(f"feed key: {feed.key!r} is not 1 to 64 of a-z, 0-9, _ and -")
    device_id = ids.uuid()
    device = Device(
        num=0,
        id=device_id,
        user_id=user_id,
        code=code,
        name=name,
        offline_after_s=300,
        client_id=client_id_of(device_id),
        created_us=clock.now_us(),
    )
    login, password = new_login(device, ids)
    try:
        await store.add_device(device, login)
    except Conflict as error:
        raise SettingsError(error.detail) from None
    for wish in feeds:
        await store.add_feed(
            Feed(
                num=0,
                id=ids.uuid(),
                user_id=user_id,
                device_id=device_id,
                key=wish.key,
                name=wish.name,
                unit=wish.unit,
                kind="number",
                enabled=True,
                min_value=wish.min_value,
                max_value=wish.max_value,
                on_violation=wish.on_violation,
                alarm=wish.alarm,
                created_us=clock.now_us(),
            )
        )
    return NewLogin(device_id, login.client_id, password)
