"""Stores what a fleet needs to use the same devices again: `fleet.json`, private to its owner."""

from pathlib import Path

import msgspec

from protocol import codec
from protocol.errors import SettingsError, in_words
from roost.embedded.data_dir import write_private
from roost.fleet.device import Access


class Owner(msgspec.Struct):
    """An account at one Roost, and the logins of the devices that were created there, by code.

    Attributes:
        password: of an account that was created for the fleet; None if the user gave it.
    """

    url: str
    email: str
    password: str | None
    devices: dict[str, Access] = {}


class Memory:
    """Usage: `memory.owner(url, email)`, and `save` after a change."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._owners = self._read()

    def owner(self, url: str, email: str | None) -> Owner | None:
        """The owner with this address; without an address, the one that was created for the
        fleet."""
        for owner in self._owners:
            if owner.url == url and (owner.email == email if email else owner.password is not None):
                return owner
        return None

    def add(self, owner: Owner) -> Owner:
        self._owners.append(owner)
        return owner

    def forget(self, owner: Owner) -> None:
        self._owners.remove(owner)

    def save(self) -> None:
        """Raises `SettingsError` if it cannot be written."""
        try:
            write_private(self._file, codec.encode(self._owners))
        except OSError as error:
            raise SettingsError(f"{self._file} cannot be written: {error.strerror}") from None

    def _read(self) -> list[Owner]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[Owner])
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
            raise SettingsError(
                f"{self._file} cannot be read: {in_words(error)}; remove it to start again"
            ) from None
