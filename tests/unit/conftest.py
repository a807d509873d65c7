"""What many unit tests stand on."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.applications import made_quickly
from tests.unit.site import Site, open_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The application over the memory twins, with Ada signed in."""
    async with open_site() as place:
        yield place


@pytest.fixture(autouse=True, scope="package")
def quick() -> Iterator[None]:
    with made_quickly():
        yield
