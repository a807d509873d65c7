"""Both stores refuse with the same code and the same values."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from protocol.errors import Problem
from protocol.problems.detail import Value


@contextmanager
def refused(code: str, **params: Value) -> Iterator[None]:
    """Expects a `Problem` with this code, and with these values where any are given."""
    with pytest.raises(Problem) as caught:
        yield
    assert caught.value.code == code
    assert not params or caught.value.params == params
