"""Ctrl-C is not lost, wherever it falls."""

import gc
import signal
import weakref

import pytest
import trio

from roost.interrupting import run


class Thing:
    pass


def test_an_interrupt_in_a_callback_of_the_interpreter_is_not_lost() -> None:
    at: list[str] = []

    async def work() -> None:
        thing = Thing()
        kept = weakref.ref(thing, lambda gone: signal.raise_signal(signal.SIGINT))
        del thing  # what is raised in there is printed at best
        assert kept() is None
        at.append("after it")
        await trio.sleep(5)
        at.append("waited")

    with pytest.raises(KeyboardInterrupt):
        run(work)
    assert at == ["after it"]


def test_a_command_that_runs_collects_its_garbage() -> None:
    """Imports do without: `main` switches that off."""

    async def is_enabled() -> bool:
        return gc.isenabled()

    gc.disable()
    try:
        assert run(is_enabled)
    finally:
        gc.enable()
