"""The command line. Every option has an environment variable `ROOST_…`.

A setting that cannot work is one line on standard error and exit status 2.

Commands are imported when they run: all together they take two seconds.
"""

import gc
import sys
from typing import NoReturn

import cyclopts
from cyclopts import App

from protocol.errors import RoostError, SettingsError, in_words
from roost import logs

app = App(
    name="roost",
    help="The place where a fleet of devices comes home.",
    config=cyclopts.config.Env("ROOST_", command=False),
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main says it in a line
)
# By its name: where a command is, and its docstring.
COMMANDS = {
    "user": ("store_commands:user_app", "Users."),
    "device": ("store_commands:device_app", "Devices."),
    "migrate": ("store_commands:migrate", "Bring the database's schema up to date."),
    "dead-letters": (
        "store_commands:dead_letters",
        """List work that failed for what it contains and was put aside, or see to it.

What is forgotten and still fails comes again; what is tried comes within seconds, where the
service runs.""",
    ),
    "up": (
        "service_commands:up_command",
        "Run everything on this machine: database, MQTT broker, service.",
    ),
    "serve": (
        "service_commands:serve_command",
        "Run the service alone, against a database and a broker of yours.",
    ),
    "simulate": (
        "fleet.command:simulate_command",
        "Run a virtual fleet over real MQTT, against a Roost that runs, and compare what is"
        " stored.",
    ),
}
for name, (place, text) in COMMANDS.items():
    app.command(f"roost.{place}", name=name, help=text)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point: exit 0, 2 for a setting that cannot work, 1 for anything else."""
    gc.disable()  # to look at what imports make took a tenth of a start: `interrupting.run` goes on
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
