"""Commands that lock accounts and delete them: user disable, enable, sign-out and delete."""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import trio
from cyclopts import Parameter

from actors.adapters.disk.media_files import open_media_files
from actors.adapters.postgres.store import PostgresStore
from actors.adapters.system.clocks import SystemClock
from actors.erasure import Eraser, StoreOnly
from actors.media import library
from actors.ports.people import AccountChange
from protocol.dead_letters import ERASURES
from protocol.errors import SettingsError, Unavailable
from protocol.people.passwords import normal
from protocol.people.people import Action, AuditEntry
from protocol.people.user import ErasureLeft, User
from protocol.printable import printable
from roost.offline import with_store
from roost.options import DATA_DIR, DatabaseUrl, DataDir

LOOK_EVERY_S = 0.5
# One history may take ten minutes (`history_deletion.PURGE_WITHIN_S`).
NOTHING_HAPPENS_S = 900.0
LETTERS = 100


def disable_user(
    email: str, *, database_url: DatabaseUrl = None, data_dir: DataDir = DATA_DIR
) -> None:
    """Disable an account: nobody signs in, and its API keys, devices, MQTT access, SQL login,
    webhooks and schedules stop."""

    async def work(store: PostgresStore, user: User) -> None:
        entries = [_entry(user, "account_disabled")]
        await store.disable_user(user.id, SystemClock().now_us(), entries=entries)
        print("disabled")

    _with_user(email, database_url, data_dir, work)


def enable_user(
    email: str, *, database_url: DatabaseUrl = None, data_dir: DataDir = DATA_DIR
) -> None:
    """Enable a disabled account. Sessions that ended stay ended."""

    async def work(store: PostgresStore, user: User) -> None:
        entries = [_entry(user, "account_enabled")]
        if not await store.enable_user(user.id, entries=entries):
            raise SettingsError(f"{email!r} is being deleted, which cannot be undone")
        print("enabled")

    _with_user(email, database_url, data_dir, work)


def sign_out_user(
    email: str, *, database_url: DatabaseUrl = None, data_dir: DataDir = DATA_DIR
) -> None:
    """End all sessions of a user, and all links for a new password. API keys and MQTT access
    stay."""

    async def work(store: PostgresStore, user: User) -> None:
        entry = _entry(user, "signed_out")
        change = AccountChange(
            user=user, known=user.revision, sign_out=True, entries=lambda secrets: [entry]
        )
        await store.update_user(change)
        print("signed out")

    _with_user(email, database_url, data_dir, work)


def delete_user(
    email: str,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Delete without a question.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Delete an account with everything that belongs to it: devices, readings, media, orders, the
    SQL login. It is locked at once.

    A running service deletes it. This command shows what is left, and may be interrupted or
    repeated. If no service runs, it deletes the account itself.
    """
    if not yes:
        _confirm(email)

    async def work(store: PostgresStore, user: User) -> None:
        await store.disable_user(user.id, SystemClock().now_us(), erase=True)
        await _erased(store, user.id, partial(_erase, store, user.id, data_dir))
        print("deleted")

    _with_user(email, database_url, data_dir, work)


def _confirm(email: str) -> None:
    if not sys.stdin.isatty():
        raise SettingsError("nobody can be asked here: confirm with --yes")
    shown = printable(email)
    question = f"Delete {shown} with all devices, readings and media? This cannot be undone [y/N] "
    if input(question).strip().lower() not in ("y", "yes"):
        raise SettingsError("nothing was deleted")


async def _erased(store: PostgresStore, user_id: str, erase: Callable[[], Awaitable[None]]) -> None:
    """Wait until the account is gone, and show what is left; `erase` if no service does it.

    Raises:
        Unavailable: nothing happens any more.
        SettingsError: the service has put the account aside.
    """
    shown: ErasureLeft | None = None
    since_s, is_ours = trio.current_time(), False
    async with trio.open_nursery() as nursery:
        while (left := await store.erasure_left(user_id)) is not None:
            now_s = trio.current_time()
            if left != shown:
                shown, since_s = left, now_s
                print(f"left: {left.devices} devices, {left.feeds} feeds, {left.media} media")
            if not is_ours and not await store.is_led():
                is_ours = True
                nursery.start_soon(erase)
            await _check_put_aside(store, user_id)
            if now_s - since_s > NOTHING_HAPPENS_S:
                raise Unavailable("the account is locked, but nothing was deleted for 15 minutes")
            await trio.sleep(LOOK_EVERY_S)


async def _check_put_aside(store: PostgresStore, user_id: str) -> None:
    after: tuple[int, str] | None = None
    while ERASURES in await store.count_dead_letters():
        page = await store.dead_letters(LETTERS, after)
        for letter in page:
            if (letter.work, letter.subject) == (ERASURES, user_id):
                raise SettingsError(
                    f"the account is locked, but cannot be deleted now: {letter.reason}."
                    " The service tries again; see `roost dead-letters`"
                )
        if len(page) < LETTERS:
            return
        after = page[-1].first_us, page[-1].id


async def _erase(store: PostgresStore, user_id: str, data_dir: Path) -> None:
    folder = data_dir / "media"
    left = await store.erasure_left(user_id)
    if left is not None and left.media and not folder.is_dir():
        raise SettingsError(f"the files of its media are not in {folder}: check --data-dir")
    with TemporaryDirectory() as empty:
        async with open_media_files(folder if folder.is_dir() else Path(empty)) as files:
            media = library.Library(store, files, SystemClock())
            await Eraser(store, StoreOnly(store), media).erase(user_id)


def _entry(user: User, action: Action) -> AuditEntry:
    now_us = SystemClock().now_us()
    return AuditEntry(user_id=user.id, at_us=now_us, action=action, agent="roost user")


def _with_user(
    email: str,
    url: str | None,
    data_dir: Path,
    work: Callable[[PostgresStore, User], Awaitable[None]],
) -> None:
    async def main(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(normal(email))
        if user is None:
            raise SettingsError(f"there is no user {email!r}")
        await work(store, user)

    with_store(url, data_dir, main)
