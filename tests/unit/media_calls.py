"""Calls to the media library, for tests of it."""

from typing import Any

from tests.unit.multipart import HEADERS, body, part
from tests.unit.samples import png
from tests.unit.site import Site

BOB = {"email": "bob@example.org", "password": "correct-horse"}
PNG = png()


async def upload(site: Site, content: bytes = PNG, name: str = "a.png") -> tuple[int, Any]:
    return await site.call("POST", "/media", data=body(part(content, name)), headers=HEADERS)


async def uploaded(site: Site, content: bytes = PNG, name: str = "a.png") -> Any:
    status, made = await upload(site, content, name)
    assert status == 201, made
    return made


async def as_bob(site: Site) -> None:
    await site.post("/users", BOB)
    _, token = await site.post("/login/access-token", BOB)
    site.headers = {"x-auth-token": token["access_token"]}


async def content_of(site: Site, media: Any, **headers: str) -> Any:
    path = f"/api/v1/media/{media['id']}/content"
    return await site.raw("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
