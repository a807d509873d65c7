"""Lists in pages: every item once, in one order, and cursors that are ours."""

import pytest

from tests.unit.site import Site, open_site


async def walked(site: Site, path: str, limit: int) -> list[str]:
    """Ids of a list, read in pages of that size."""
    found: list[str] = []
    cursor = ""
    while True:
        status, answer = await site.call("GET", f"{path}?limit={limit}{cursor}")
        assert status == 200, answer
        assert len(answer["items"]) <= limit
        found += [item["id"] for item in answer["items"]]
        if answer["next"] is None:
            return found
        cursor = f"&cursor={answer['next']}"


async def test_pages_of_any_size_make_the_same_list() -> None:
    async with open_site() as site:
        devices = [await site.device(f"d{n}") for n in range(3)]
        commands = f"/devices/{devices[0]['id']}/commands"
        for n in range(3):
            await site.post("/webhooks", {"url": "https://receiver.example/"})
            await site.post("/feeds", {"key": f"f{n}", "name": "f"})
            await site.post(commands, {"type": "beep"})
        for path in ("/devices", "/webhooks", "/feeds", commands):
            whole = await walked(site, path, 100)
            assert len(whole) == len(set(whole)) == 3
            for limit in (1, 2, 3):
                assert await walked(site, path, limit) == whole


@pytest.mark.parametrize("cursor", ["x", "MSwy", "!", "LTE5OTk5OTk5OTk5OTk5OTk5OTk5OQ"])
async def test_a_cursor_of_somewhere_else_is_refused(cursor: str) -> None:
    async with open_site() as site:
        status, problem = await site.call("GET", f"/webhooks?cursor={cursor}")
        assert (status, list(problem["errors"])) == (422, ["cursor"])
