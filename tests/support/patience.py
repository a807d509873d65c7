"""No Trio test waits for ever: one that hangs on the real clock fails, and the others go on."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio

# Some ten times what the slowest takes on a machine of half the speed.
TEST_MAX_S = 240.0


def bound(items: Sequence[pytest.Item]) -> None:
    """Give a limit to each Trio test that has no runner of its own: virtual time has its own."""
    for item in items:
        runners = [marker.kwargs.get("run") for marker in item.iter_markers("trio")]
        of_its_own = any(run not in (None, trio.run) for run in runners)
        if inspect.iscoroutinefunction(getattr(item, "obj", None)) and not of_its_own:
            item.add_marker(pytest.mark.trio(run=run_bounded), append=False)


def run_bounded(
    main: Callable[..., Awaitable[Any]], *, clock: Any = None, instruments: Sequence[Any] = ()
) -> Any:
    """`trio.run`, for so long. A clock that jumps has seconds of no length: it is left alone."""

    async def bounded() -> Any:
        with trio.fail_after(TEST_MAX_S):
            return await main()

    return trio.run(main if clock is not None else bounded, clock=clock, instruments=instruments)
