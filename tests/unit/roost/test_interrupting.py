"""Ctrl-C is not lost, wherever it falls."""

import gc
import resource
import signal
import weakref

import pytest
import trio

from roost.interrupting import FILES_KEPT, room_for, run


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


def test_sockets_leave_files_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def room(soft: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, soft))
        return room_for(8_192)

    assert room(65_536) == 8_192
    assert room(1_024) == 768
    assert room(9_000) == 9_000 - FILES_KEPT
    assert room(resource.RLIM_INFINITY) == 8_192
