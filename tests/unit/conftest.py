"""What many unit tests stand on."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.site import Site, open_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The application over the memory twins, with Ada signed in."""
    async with open_site() as place:
        yield place
