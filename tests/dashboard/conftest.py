"""The dashboard in a real browser, over a real `roost up`. Debian's Chromium, never a download."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import needs
from tests.dashboard.screen import WAIT_MS, Screens
from tests.real.conftest import (
    ada,
    begun_for_all,
    bob,
    made_database,
    own_roost,
    roost,
    shared_roost,
)
from tests.real.harness import Roost

# Fixtures.
__all__ = ["ada", "begun_for_all", "bob", "made_database", "own_roost", "roost", "shared_roost"]

BUILT = Path(__file__).parents[2] / "web" / "dashboard" / "dist" / "index.html"
# As root, without a display, and without a word to anybody outside.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# A busy machine is no failure.
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    assert BUILT.is_file(), "make setup builds the dashboard"
    # The same browser without windows needs a third less of the processors.
    chromium = needs("chromium-headless-shell", "chromium")
    with asyncio_alone(), sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@contextmanager
def asyncio_alone() -> Iterator[None]:
    """Playwright runs asyncio's own loop; trio-asyncio has put its policy in that one's place."""
    policy = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    try:
        yield
    finally:
        asyncio.set_event_loop_policy(policy)


@pytest.fixture
def screens(browser: Browser, roost: Roost) -> Iterator[Screens]:
    opened = Screens(browser, roost)
    yield opened
    opened.close()
