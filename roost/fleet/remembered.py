"""What a fleet needs to come back as the same devices: `fleet.json`, private to its owner."""

from pathlib import Path

import msgspec

from protocol import codec
from protocol.errors import SettingsError, in_words
from roost.embedded.data_dir import write_private
from roost.fleet.device import Access


class Owner(msgspec.Struct):
    """An account at one Roost, and how the devices that were made there log in, by code.

    Attributes:
        password: of an account that was made for the fleet; None where somebody gave it.
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
        """That with this address, or without one, that which was made for the fleet."""
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
        """Raises `SettingsError` where it cannot be written."""
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
                f"{self._file} cannot be read: {in_words(error)}; remove it to begin anew"
            ) from None
