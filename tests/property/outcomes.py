"""A call that may answer in two ways, as one value."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def outcome(error: type[E], call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | E:
    """What a call returned, or what it raised of this kind; anything else goes on."""
    try:
        return call(*args, **kwargs)
    except error as raised:
        return raised
