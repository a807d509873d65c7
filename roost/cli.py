"""The command line. Every option has an environment variable `ROOST_…`.

A setting that cannot work is one line on standard error and exit status 2.
"""

import getpass
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import cyclopts
import trio
from cyclopts import App, Parameter

from actors.adapters.clocks import Argon2Hasher, SystemClock, SystemIds
from actors.adapters.postgres.store import PostgresStore, open_store
from protocol.errors import RoostError, SettingsError
from roost import logs
from roost.external import ServeSettings, serve
from roost.offline import database_url
from roost.provisioning import FeedWish, provision_device, provision_user
from roost.settings import check_base_url, check_database_url, parse_bind
from roost.up import UpSettings, up
from roost.web_options import WebOptions
from web.resetting import new_link

app = App(
    name="roost",
    help="The place where a fleet of devices comes home.",
    config=cyclopts.config.Env("ROOST_", command=False),
    version_flags=["--version"],
)
user_app = App(name="user", help="Users.")
device_app = App(name="device", help="Devices.")
app.command(user_app)
app.command(device_app)

DATA_DIR = Path("data")
HERE = "http://127.0.0.1:8000"
WEB = WebOptions()

DataDir = Annotated[
    Path, Parameter(help="Where the database, the broker, the media and the secrets live.")
]
Http = Annotated[str, Parameter(help="Where to serve people: HOST:PORT.")]
Mqtt = Annotated[str, Parameter(help="Where to serve devices: HOST:PORT.")]
LogLevel = Annotated[str, Parameter(help="debug, info, warning or error.")]
LogFormat = Annotated[str, Parameter(help="auto, text or json.")]
DatabaseUrl = Annotated[
    str | None,
    Parameter(help="PostgreSQL 15 or newer; without it, the database of the data directory."),
]


@app.command(name="up")
def up_command(
    *,
    demo: Annotated[
        bool, Parameter(negative="", help="With a user and simulated devices.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
    http: Http = "127.0.0.1:8000",
    mqtt: Mqtt = "127.0.0.1:1883",
    web: WebOptions = WEB,
    log_level: LogLevel = "info",
    log_format: LogFormat = "auto",
) -> None:
    """Run everything on this machine: database, MQTT broker, service."""
    logs.configure(log_level, log_format)
    settings = UpSettings(
        http=parse_bind(http, "http"),
        mqtt=parse_bind(mqtt, "mqtt"),
        data_dir=data_dir,
        web=web.settings(),
        zalo=web.zalo(),
        mail=web.mail(),
        demo=demo,
    )
    trio.run(up, settings)


@app.command(name="serve")
def serve_command(
    *,
    database_url: Annotated[str, Parameter(help="PostgreSQL 15 or newer.")],
    mqtt_url: Annotated[str, Parameter(help="mqtt://user:password@host:1883, or mqtts://.")],
    mqtt_version: Annotated[str, Parameter(help="5 or 3.1.1.")] = "5",
    mqtt_partitions: Annotated[
        int, Parameter(help="Partitions that the broker maps devices to; 0 where it maps none.")
    ] = 0,
    mqtt_public_url: Annotated[
        str | None, Parameter(help="Where devices connect, as the API shows it.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    http: Http = "127.0.0.1:8000",
    web: WebOptions = WEB,
    log_level: LogLevel = "info",
    log_format: LogFormat = "auto",
) -> None:
    """Run the service alone, against a database and a broker of yours."""
    logs.configure(log_level, log_format)
    settings = ServeSettings(
        http=parse_bind(http, "http"),
        data_dir=data_dir,
        database_url=check_database_url(database_url),
        mqtt_url=mqtt_url,
        mqtt_version=mqtt_version,
        mqtt_partitions=mqtt_partitions,
        mqtt_public_url=mqtt_public_url,
        web=web.settings(),
        zalo=web.zalo(),
        mail=web.mail(),
    )
    trio.run(serve, settings)


@app.command
def migrate(*, database_url: DatabaseUrl = None, data_dir: DataDir = DATA_DIR) -> None:
    """Bring the database's schema up to date."""

    async def work(store: PostgresStore) -> None:
        applied = await store.migrate()
        print("\n".join(f"applied {name}" for name in applied) or "up to date")

    _with_store(database_url, data_dir, work)


@user_app.command(name="add")
def add_user(
    email: str,
    *,
    password: Annotated[
        str | None, Parameter(help="Asked for on a terminal, made up elsewhere.")
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

    _with_store(database_url, data_dir, work)


@user_app.command(name="reset")
def reset_user(
    email: str,
    *,
    public_url: Annotated[str, Parameter(help="What the outside calls the server.")] = HERE,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print a link with which this user sets a new password, once, within an hour."""
    url = check_base_url(public_url, "public URL")

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(email)
        if user is None:
            raise SettingsError(f"there is no user {email!r}")
        print(await new_link(store, SystemIds(), user, url, SystemClock().now_us()))

    _with_store(database_url, data_dir, work)


@user_app.command(name="sql")
def sql_user(
    email: str,
    *,
    drop: Annotated[bool, Parameter(negative="", help="Take the login away again.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print a database login that reads this user's devices and readings, for Grafana; an earlier
    password stops working."""

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(email)
        if user is None:
            raise SettingsError(f"there is no user {email!r}")
        if drop:
            print("dropped" if await store.revoke_views(user.id) else "there was none")
            return
        password = SystemIds().secret()
        role = await store.grant_views(user.id, password)
        print(f"username {role}")
        print(f"password {password}")
        print(f"views {role}.devices {role}.readings {role}.readings_by_hour")

    _with_store(database_url, data_dir, work)


@device_app.command(name="add")
def add_device(
    code: Annotated[str, Parameter(help="The device's code in its topics.")],
    *,
    email: Annotated[str, Parameter(help="Whose device it is.")],
    name: Annotated[str | None, Parameter(help="How people call it.")] = None,
    feed: Annotated[
        list[str] | None, Parameter(help="Key of a number feed to make; may be repeated.")
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Register a device and print its MQTT credentials, once."""

    async def work(store: PostgresStore) -> None:
        await store.migrate()
        user = await store.user_by_email(email)
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

    _with_store(database_url, data_dir, work)


def _with_store(
    url: str | None, data_dir: Path, work: Callable[[PostgresStore], Awaitable[None]]
) -> None:
    logs.configure("warning", "auto")

    if url is not None:
        check_database_url(url)

    async def main() -> None:
        async with _store(url, data_dir) as store:
            await work(store)

    trio.run(main)


@asynccontextmanager
async def _store(url: str | None, data_dir: Path) -> AsyncIterator[PostgresStore]:
    async with database_url(url, data_dir) as found, open_store(found) as store:
        yield store


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point: exit 0, 2 for a setting that cannot work, 1 for anything else."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.CycloptsError as error:
        _fail(" ".join(str(error).split()), 2)
    except RoostError as error:
        _fail(str(error), 2 if isinstance(error, SettingsError) else 1)
    except BaseExceptionGroup as group:
        ours, rest = group.split(RoostError)
        if rest is not None or ours is None:
            raise
        first = _first(ours)
        _fail(str(first), 2 if isinstance(first, SettingsError) else 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    sys.exit(0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _fail(line: str, status: int) -> NoReturn:
    print(f"roost: {line}", file=sys.stderr)
    sys.exit(status)
