"""Applications made again and again: without what each of them would do anew for nobody.

A process of a simulated world and many a test of REST make the application; the real tests and
`roost` itself make it as it is.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.routing import Rule

from web.ops import dashboard_files

_read_once = functools.cache(dashboard_files._read)


@contextmanager
def made_quickly() -> Iterator[None]:
    """The dashboard's files are compressed once for all; rules build no URLs. Both together were
    three quarters of the time of a test of REST."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", _builds_no_urls)
        patch.setattr(dashboard_files, "_read", _read_once)
        yield


def _builds_no_urls(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
    """Nobody builds URLs in Roost; werkzeug compiles two functions for each rule all the same."""

    def build(**values: Any) -> Any:
        raise AssertionError(f"{rule} builds no URL in a test")

    return build
