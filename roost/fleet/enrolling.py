"""Prepares a virtual fleet: an account that owns it, its devices, their feeds."""

from functools import partial

from actors.access.mqtt_credentials import client_id_of
from actors.ports.ids import Ids
from protocol.errors import SettingsError, in_words
from roost.fleet.account import IMPORT_MAX, Account, Refused, side_by_side
from roost.fleet.remembered import Memory, Owner
from roost.fleet.screen import Screen
from roost.fleet.weather import FEED


async def sign_in(
    account: Account, memory: Memory, ids: Ids, url: str, email: str | None, password: str | None
) -> Owner:
    """The owner of the fleet: the given account, the one of the last run, or a new one.

    Raises:
        SettingsError: the server refuses the login.
    """
    if email is not None:
        try:
            await account.sign_in(email, password or "")
        except Refused as error:
            raise SettingsError(f"{email} cannot sign in: {in_words(error)}") from None
        return memory.owner(url, email) or memory.add(Owner(url, email, None))
    owner = memory.owner(url, None)
    if owner is not None:
        try:
            await account.sign_in(owner.email, owner.password or "")
            return owner
        except Refused as error:
            if error.status != 401:
                raise
            memory.forget(owner)  # the server was installed again
    return await _sign_up(account, memory, ids, url)


async def _sign_up(account: Account, memory: Memory, ids: Ids, url: str) -> Owner:
    owner = Owner(url, f"fleet-{ids.uuid()[:8]}@roost.local", ids.secret())
    try:
        await account.sign_up(owner.email, owner.password or "")
    except Refused as error:
        if error.status != 403:
            raise
        raise SettingsError(f"{in_words(error)}: name the account with --email") from None
    memory.add(owner)
    memory.save()
    await account.sign_in(owner.email, owner.password or "")
    return owner


async def enroll(
    account: Account, memory: Memory, owner: Owner, codes: list[str], prefix: str, screen: Screen
) -> tuple[int, str]:
    """Create what is missing: devices, credentials, feeds.

    Returns:
        How many devices with this prefix the owner has, and the address they connect to (a URL, or
        "" if the server shows none).
    """
    ids = await account.devices(prefix)
    missing = [code for code in codes if code not in ids]
    for start in range(0, len(missing), IMPORT_MAX):
        screen.progress("registering devices", start, len(missing))
        some = missing[start : start + IMPORT_MAX]
        made, access = await account.add_devices([(code, f"Virtual {code}") for code in some])
        ids.update(made)
        owner.devices.update(access)
        memory.save()
    try:
        mqtt_url = await _renew(account, owner, ids, codes, screen)
    finally:  # old passwords of devices that were renewed so far are invalid
        memory.save()
    with_feed = await account.feeds(FEED)
    feed = {"key": FEED, "name": "Temperature", "unit": "°C", "min_value": -40, "max_value": 85}
    await side_by_side(
        [
            partial(account.add_feed, {**feed, "device_id": ids[code]})
            for code in codes
            if ids[code] not in with_feed
        ],
        partial(screen.progress, "making feeds"),
    )
    return len(ids), mqtt_url


async def _renew(
    account: Account, owner: Owner, ids: dict[str, str], codes: list[str], screen: Screen
) -> str:
    """New credentials for devices whose credentials are not known here, and for at least one
    device: the answer has the address that devices connect to."""
    mqtt_url = ""

    async def renew(code: str) -> None:
        nonlocal mqtt_url
        owner.devices[code], mqtt_url = await account.renew(ids[code])

    lost = [
        code
        for code in codes
        if code not in owner.devices or owner.devices[code].client_id != client_id_of(ids[code])
    ]
    await side_by_side(
        [partial(renew, code) for code in lost], partial(screen.progress, "renewing credentials")
    )
    if not lost:
        await renew(codes[0])
    return mqtt_url
