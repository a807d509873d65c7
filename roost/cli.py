"""The command line. Every option has an environment variable `ROOST_…`.

An invalid setting prints one line on standard error and exits with status 2.

Commands are imported when they run, because importing all of them takes two seconds.
"""

import gc
import os
import sys
from typing import NoReturn

import cyclopts
from cyclopts import App

from protocol.errors import RoostError, SettingsError, in_words
from protocol.printable import printable
from roost import logs
from roost.secret_settings import read_files, visible

app = App(
    name="roost",
    help="Self-hosted IoT platform.",
    config=cyclopts.config.Env("ROOST_", command=False),
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main prints one line
)
# Commands by name: the module with the function, and its docstring.
COMMANDS = {
    "user": ("store_commands:user_app", "Users."),
    "device": ("store_commands:device_app", "Devices."),
    "cert": (
        "cert_commands:cert_app",
        "A private CA and its certificates, for trying out TLS.",
    ),
    "migrate": ("store_commands:migrate", "Update the database schema."),
    "dead-letters": (
        "store_commands:dead_letters",
        """List work that failed because of its content and was put aside; retry or drop it.

The running service retries within seconds. Dropped work that still fails is listed again.""",
    ),
    "up": (
        "service_commands:up_command",
        "Run everything on this machine: database, MQTT broker, service.",
    ),
    "serve": (
        "service_commands:serve_command",
        "Run the service alone, with your own database and broker.",
    ),
    "backup": (
        "backup.commands:backup_command",
        """Back up everything into one file: database, media, secrets, what the broker holds.

The service may run meanwhile. The file holds secrets: only its owner can read it. With
--database-url it has that database, with media and secrets of the data directory; the broker
is yours to back up.""",
    ),
    "restore": (
        "backup.commands:restore_command",
        """Restore a backup into an empty data directory, or into an empty database of your own.

The whole file is checked first. A backup of an earlier version of Roost is brought up to date.""",
    ),
    "upgrade": (
        "backup.commands:upgrade_command",
        """Take over a data directory of an older PostgreSQL.

Its database is dumped with the old version and restored with the new one. The old data stay
until --delete-old.""",
    ),
    "simulate": (
        "fleet.command:simulate_command",
        "Run a virtual fleet over real MQTT against a running Roost, and check what it stores.",
    ),
}
for name, (place, text) in COMMANDS.items():
    app.command(f"roost.{place}", name=name, help=text)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point: exit status 0, 2 for an invalid setting, 1 for any other error."""
    gc.disable()  # during imports it took a tenth of the start; `interrupting.run` enables it
    try:
        read_files(os.environ)
        for line in visible(sys.argv[1:] if arguments is None else arguments):
            print(f"roost: warning: {line}", file=sys.stderr)
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
    logs.flush()  # so that the reason is the last line
    told = printable(line, keeps="\n")
    print(f"roost: {told}", file=sys.stderr)
    sys.exit(status)
