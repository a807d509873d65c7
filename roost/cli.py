"""The command line. Every option has an environment variable `ROOST_…`.

A setting that cannot work is one line on standard error and exit status 2.
"""

import getpass
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import cyclopts
from cyclopts import App, Parameter

from protocol.errors import RoostError, SettingsError, in_words
from roost import logs
from roost.embedded.watchdog import PATIENCE_S
from roost.external import ServeSettings, serve
from roost.fleet.simulate import simulate
from roost.fleet.wish import Wish, check_wish
from roost.interrupting import run
from roost.options import DATA_DIR, HERE, DataDir, Http, LogFormat, LogLevel, Mqtt
from roost.settings import check_database_url, parse_bind
from roost.store_commands import dead_letters, device_app, migrate, user_app
from roost.up import UpSettings, up
from roost.web_options import WebOptions

app = App(
    name="roost",
    help="The place where a fleet of devices comes home.",
    config=cyclopts.config.Env("ROOST_", command=False),
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main says it in a line
)
app.command(user_app)
app.command(device_app)
app.command(migrate)
app.command(dead_letters, name="dead-letters")

WEB = WebOptions()


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
    server_patience_s: Annotated[float, Parameter(show=False)] = PATIENCE_S,
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
        patience_s=server_patience_s,
    )
    run(up, settings)


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
    run(serve, settings)


@app.command(name="simulate")
def simulate_command(
    *,
    devices: Annotated[int, Parameter(help="How many devices.")] = 10,
    rate: Annotated[float, Parameter(help="Readings a second, all devices together.")] = 10.0,
    seconds: Annotated[
        float | None, Parameter(help="For how long; without it, until Ctrl-C.")
    ] = None,
    url: Annotated[
        str,
        Parameter(help="Where the running Roost serves people.", env_var="ROOST_HTTP"),
    ] = HERE,
    mqtt_public_url: Annotated[
        str | None,
        Parameter(
            help="Where devices connect; without it, where the server says."
            " A user name in it is every device's."
        ),
    ] = None,
    email: Annotated[
        str | None, Parameter(help="Whose devices; without it, a new account's.")
    ] = None,
    password: Annotated[
        str | None, Parameter(help="With --email; asked for on a terminal.")
    ] = None,
    prefix: Annotated[str, Parameter(help="What their codes begin with.")] = "virtual",
    data_dir: Annotated[
        Path, Parameter(help="Where it remembers the devices, in fleet.json.")
    ] = DATA_DIR,
) -> None:
    """Run a virtual fleet over real MQTT, against a Roost that runs, and compare what is stored."""
    logs.configure("warning", "auto")
    if email is not None and password is None:
        if not sys.stdin.isatty():
            raise SettingsError("--email needs --password, or ROOST_PASSWORD")
        password = getpass.getpass("Password: ")
    wish = Wish(
        devices=devices,
        rate=rate,
        seconds=seconds,
        url=url,
        mqtt_url=mqtt_public_url or None,
        email=email,
        password=password,
        prefix=prefix,
        data_dir=data_dir,
    )
    run(simulate, check_wish(wish))


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point: exit 0, 2 for a setting that cannot work, 1 for anything else."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.CycloptsError as error:
        _fail(" ".join(str(error).split()), 2)
    except RoostError as error:
        _fail(in_words(error), 2 if isinstance(error, SettingsError) else 1)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            _fail("interrupted", 130)
        ours, rest = group.split(RoostError)
        if rest is not None or ours is None:
            raise
        first = _first(ours)
        _fail(in_words(first), 2 if isinstance(first, SettingsError) else 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    sys.exit(0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _fail(line: str, status: int) -> NoReturn:
    logs.flush()  # the reason stands last
    print(f"roost: {line}", file=sys.stderr)
    sys.exit(status)
