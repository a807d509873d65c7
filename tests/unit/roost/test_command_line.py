"""A command imports what it needs and no more: `roost --help` took two seconds."""

import inspect
import subprocess
import sys
from importlib import import_module

import cyclopts
import pytest

from roost.cli import COMMANDS


def modules_after(*imports: str, run: str = "") -> set[str]:
    """Names of the packages that a new interpreter has imported then."""
    lines = [*(f"import {name}" for name in imports), run, "import sys", "print(*sys.modules)"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_no_server() -> None:
    shown = modules_after("roost.cli", run="roost.cli.app('--help', result_action='return_value')")
    assert "cyclopts.help" in shown
    assert not shown & {"trio", "asyncio", "structlog", "quart", "asyncpg", "httpx", "nats"}


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("roost.store_commands", {"quart", "nats", "httpx", "hypercorn"}),
        ("roost.fleet.command", {"quart", "nats", "asyncpg", "hypercorn"}),
    ],
)
def test_a_command_imports_nothing_that_only_others_need(module: str, others: set[str]) -> None:
    shown = modules_after(module)
    assert module in shown
    assert not shown & others


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    place, text = COMMANDS[name]
    module, _, attribute = place.partition(":")
    command = getattr(import_module(f"roost.{module}"), attribute)
    assert text == (command.help if isinstance(command, cyclopts.App) else inspect.getdoc(command))
