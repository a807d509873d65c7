"""Commands that only need the database: migrate, user …, device …, dead-letters."""

import getpass
import sys
from typing import Annotated

from cyclopts import App, Parameter

from actors.adapters.postgres.store import PostgresStore
from actors.adapters.system.clocks import Argon2Hasher, SystemClock, SystemIds
from protocol.errors import SettingsError
from protocol.ids import is_uuid
from protocol.people.passwords import normal
from protocol.people.user import User
from roost import account_commands
from roost.dead_letter_table import print_letters
from roost.embedded.data_dir import noted_address
from roost.offline import with_store
from roost.options import DATA_DIR, HERE, DatabaseUrl, DataDir
from roost.provisioning import FeedWish, provision_device, provision_user
from roost.settings import check_base_url
from web.people.lifting import lift
from web.people.reset_links import new_link

# What a reader can do in Roost's own database, because no privilege prevents it.
SHARED = (
    "roost: warning: Roost is no superuser of this server, so the login shares Roost's database."
    " It can listen to its notifications, send others, take advisory locks, and write temporary"
    " tables. Give it to people whom you trust; docs/security.md has more"
)

user_app = App(name="user", help="Users.")
user_app.command(account_commands.disable_user, name="disable")
user_app.command(account_commands.enable_user, name="enable")
user_app.command(account_commands.sign_out_user, name="sign-out")
user_app.command(account_commands.delete_user, name="delete")
device_app = App(name="device", help="Devices.")


def migrate(*, database_url: DatabaseUrl = None, data_dir: DataDir = DATA_DIR) -> None:
    """Update the database schema."""

    async def work(store: PostgresStore) -> None:
        applied = await store.migrate()
        print("\n".join(f"applied {name}" for name in applied) or "up to date")

    with_store(database_url, data_dir, work)


@user_app.command(name="add")
def add_user(
    email: str,
    *,
    password: Annotated[
        str | None, Parameter(help="Default: asked for on a terminal, otherwise generated.")
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Create a user."""
    made_up = password is None and not sys.stdin.isatty()
    if password is None:
        password = SystemIds().secret() if made_up else getpass.getpass("Password: ")

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await provision_user(
            store, SystemClock(), SystemIds(), Argon2Hasher(), email, password
        )
        print(f"user {user.id}")
        if made_up:
            print(f"password {password}")

    with_store(database_url, data_dir, work)


@user_app.command(name="reset")
def reset_user(
    email: str,
    *,
    public_url: Annotated[
        str | None,
        Parameter(help="Public URL of the server. Default: that of the data directory's server."),
    ] = None,
    lift_second_factor: Annotated[
        bool, Parameter(negative="", help="Also turn off the user's two-factor authentication.")
    ] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print a link that sets a new password for this user, once, within an hour."""
    known = None if database_url else noted_address(data_dir)
    url = check_base_url(public_url or known or HERE, "public URL")

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(normal(email))
        if user is None:
            raise SettingsError(f"there is no user {email!r}")
        _check_enabled(user)
        if lift_second_factor:
            was_on = await lift(store, user.id, SystemClock().now_us())
            print("second factor lifted" if was_on else "there was no second factor")
        print(await new_link(store, SystemIds(), user, url, SystemClock().now_us()))

    with_store(database_url, data_dir, work)


@user_app.command(name="sql")
def sql_user(
    email: str,
    *,
    drop: Annotated[bool, Parameter(negative="", help="Drop the login.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print a database login that reads this user's devices and readings, for Grafana; an earlier
    password stops working."""

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(normal(email))
        if user is None:
            raise SettingsError(f"there is no user {email!r}")
        if drop:
            print("dropped" if await store.revoke_views(user.id) else "there was none")
            return
        _check_enabled(user)
        password = SystemIds().secret()
        made = await store.grant_views(user.id, password)
        role = made.role
        print(f"server {made.server}")
        print(f"database {made.database}")
        print(f"username {role}")
        print(f"password {password}")
        print(f"views {role}.devices {role}.readings {role}.readings_by_hour")
        if not made.is_apart:
            print(SHARED, file=sys.stderr)

    with_store(database_url, data_dir, work)


def _check_enabled(user: User) -> None:
    if user.disabled_us is not None:
        raise SettingsError("the account is disabled")


@device_app.command(name="add")
def add_device(
    code: Annotated[str, Parameter(help="The device code, part of its MQTT topics.")],
    *,
    email: Annotated[str, Parameter(help="Email address of the owner.")],
    name: Annotated[str | None, Parameter(help="Display name.")] = None,
    feed: Annotated[
        list[str] | None, Parameter(help="Key of a number feed to create; may be repeated.")
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Register a device and print its MQTT credentials, once."""

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(normal(email))
        if user is None:
            raise SettingsError(f"there is no user {email!r}")
        wishes = [FeedWish(key, key) for key in feed or []]
        login = await provision_device(
            store, SystemClock(), SystemIds(), user.id, code, name or code, wishes
        )
        print(f"device {login.device_id}")
        print(f"username {login.client_id}")
        print(f"password {login.password}")
        print(f"client_id {login.client_id}")
        print(f"topic_prefix users/{user.id}/devices/{code}")

    with_store(database_url, data_dir, work)


def dead_letters(
    *,
    retry: Annotated[str | None, Parameter(help="Retry the dead letter with this id now.")] = None,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Retry all dead letters now.")
    ] = False,
    drop: Annotated[str | None, Parameter(help="Drop the dead letter with this id.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """List work that failed because of its content and was put aside; retry or drop it.

    The running service retries within seconds. Dropped work that still fails is listed again.
    """
    if sum((retry is not None, all_, drop is not None)) > 1:
        raise SettingsError("use only one of --retry, --all and --drop")
    for letter_id in (retry, drop):
        if letter_id is not None and not is_uuid(letter_id):
            raise SettingsError(f"{letter_id!r} is not the id of a dead letter")
    if database_url is None and not (data_dir / "postgres" / "PG_VERSION").exists():
        # A newly created database has no dead letters, which would be misleading.
        raise SettingsError(f"{data_dir} has no data of Roost: check --data-dir and --database-url")

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        now_us = SystemClock().now_us()
        if drop is not None:
            if not await store.drop_dead_letter(drop):
                raise SettingsError(f"there is no dead letter {drop}")
            print("forgotten")
        elif retry is not None or all_:
            count = await store.retry_dead_letters(retry, now_us)
            if retry is not None and not count:
                raise SettingsError(f"there is no dead letter {retry}")
            print(f"{count} tried again" if count else "there are none")
        else:
            await print_letters(store, now_us, print)

    with_store(database_url, data_dir, work)
