"""The data directory: for one process at a time, with secrets generated at the first start,
private."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from actors.adapters.nats.keys import new_seed
from protocol import codec
from protocol.errors import SettingsError, in_words

ADDRESS = "address"
# Files that mark a directory as half made, and what to do about it.
RESTORING, UPGRADING = "restoring", "upgrading"
HALF_MADE = {
    RESTORING: "a restore into {path} was interrupted: repeat it, or delete the directory",
    UPGRADING: "an upgrade of {path} was interrupted: run `roost upgrade` again",
}


class Secrets(msgspec.Struct, frozen=True):
    """Secrets of this installation. Stored in `secrets.json` with mode 0600."""

    jwt: str
    mqtt: str
    nats_auth: str
    nats_sys: str
    nats_seed: str
    postgres: str = ""  # directories of earlier versions have none: it is added


def check_whole(path: Path, besides: str = "") -> None:
    """Raises `SettingsError` if something was interrupted that must be ended first.

    Args:
        besides: the mark of what is about to be ended.
    """
    for mark, told in HALF_MADE.items():
        if mark != besides and (path / mark).exists():
            raise SettingsError(told.format(path=path))


@contextmanager
def locked(
    path: Path, name: str = "roost", what: str = "another Roost", ends: str = ""
) -> Iterator[Path]:
    """The directory, created if it is missing, for this process alone (among all that use this
    name) while the block runs.

    Args:
        ends: the mark of what this process ends if it was interrupted.

    Raises:
        SettingsError: it cannot be created, another process uses it, or it is half made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = path.resolve()
        handle = os.open(path / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"the data directory cannot be used: {in_words(error)}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise SettingsError(f"{what} runs on {path}") from None
    try:
        check_whole(path, ends)
        yield path
    finally:
        os.close(handle)


def read_secrets(path: Path) -> Secrets:
    """The secrets of a data directory, generated if there are none.

    Raises:
        SettingsError: the file exists and cannot be decoded; it is never replaced.
    """
    file = path / "secrets.json"
    if not file.exists():
        made = Secrets(
            jwt=secrets.token_urlsafe(32),
            mqtt=secrets.token_urlsafe(24),
            nats_auth=secrets.token_urlsafe(24),
            nats_sys=secrets.token_urlsafe(24),
            nats_seed=new_seed().decode(),
            postgres=secrets.token_urlsafe(24),
        )
        write_private(file, codec.encode(made))
        return made
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Secrets)
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file} cannot be read: {in_words(error)}") from None
    if not found.postgres:
        found = msgspec.structs.replace(found, postgres=secrets.token_urlsafe(24))
        write_private(file, codec.encode(found))
    return found


def note_address(path: Path, url: str) -> None:
    """Note where people reach this server, for commands beside it. Raises `SettingsError`."""
    write_private(path / ADDRESS, url.encode())


def noted_address(path: Path) -> str | None:
    """Where people reach the server of this data directory, as it said last."""
    try:
        return (path / ADDRESS).read_text() or None
    except (OSError, UnicodeDecodeError):
        return None


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only this user can read, completely or not at all. Raises
    `SettingsError`."""
    draft = file.with_suffix(".new")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(file)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}") from None
