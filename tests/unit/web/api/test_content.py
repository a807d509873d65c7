"""The content of media over REST: headers, ranges, conditions, signed links."""

import hmac
import re
from typing import Any

import pytest

from actors.access.mqtt_credentials import client_id_of
from actors.media.signed_urls import PURPOSE
from protocol.times import SECOND_US
from tests.unit.media_calls import PNG, content_of, uploaded
from tests.unit.site import Site


async def told(site: Site, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers as they are sent; the test client's answers count their own bytes."""
    named = {**site.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with site.app.test_client().request(path, method=method, headers=named) as line:
        await line.send_complete()
    found = {k.title(): v for k, v in line.headers.items()}
    del found["X-Request-Id"]  # each has its own
    return line.status_code, found


async def test_the_answer_says_how_the_content_is_to_be_taken(site: Site) -> None:
    made = await uploaded(site, PNG, 'Grüße "1" 100%.png')
    answer = await content_of(site, made)
    headers = answer.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(PNG))
    assert headers["ETag"] == f'"{made["sha256"]}"'
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Last-Modified"].endswith("GMT")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Cache-Control"] == "private, max-age=86400, immutable"
    assert headers["Content-Disposition"].startswith("inline; ")
    text = await uploaded(site, b"hello", "n.txt")
    answer = await content_of(site, text)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


async def test_head_is_get_without_the_content(site: Site) -> None:
    path = f"/api/v1/media/{(await uploaded(site))['id']}/content"
    assert await (await site.raw("HEAD", path)).get_data() == b""
    got = await told(site, "GET", path)
    assert got[1]["Content-Length"] == str(len(PNG))
    assert await told(site, "HEAD", path) == got
    assert await told(site, "HEAD", path, Range="bytes=0-1") == got


async def test_a_range_is_answered_alone(site: Site) -> None:
    made = await uploaded(site, b"0123456789")
    size = made["size"]
    for asked, status, content, of in (
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ):
        answer = await content_of(site, made, Range=asked)
        assert (answer.status_code, await answer.get_data()) == (status, content)
        assert answer.headers.get("Content-Range") == of
        assert answer.headers["Content-Length"] == str(len(content))
    answer = await content_of(site, made, Range=f"bytes={size}-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert answer.content_type == "application/problem+json"


async def test_what_a_client_has_already_is_not_sent_again(site: Site) -> None:
    made = await uploaded(site, b"0123456789")
    first = await content_of(site, made)
    etag, date = first.headers["ETag"], first.headers["Last-Modified"]
    old = "Thu, 01 Jan 2015 00:00:00 GMT"
    for headers, status in (
        ({"If_None_Match": etag}, 304),
        ({"If_None_Match": f'"other", W/{etag}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_None_Match": "rubbish"}, 200),
        ({"If_Modified_Since": date}, 304),
        ({"If_Modified_Since": old}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        # A tag counts before a date, and both before a range.
        ({"If_None_Match": '"other"', "If_Modified_Since": date}, 200),
        ({"If_None_Match": etag, "Range": "bytes=0-1"}, 304),
        ({"If_Range": etag, "Range": "bytes=0-1"}, 206),
        ({"If_Range": date, "Range": "bytes=0-1"}, 206),
        ({"If_Range": f"W/{etag}", "Range": "bytes=0-1"}, 200),
        ({"If_Range": '"other"', "Range": "bytes=0-1"}, 200),
        ({"If_Range": old, "Range": "bytes=99-"}, 200),
    ):
        answer = await content_of(site, made, **headers)
        assert answer.status_code == status, headers
        if status == 304:
            assert await answer.get_data() == b""
            assert answer.headers["ETag"] == etag
    path = f"/api/v1/media/{made['id']}/content"
    status, sent = await told(site, "GET", path, If_None_Match=etag)
    assert status == 304
    assert not {"Content-Length", "Content-Type"} & sent.keys()


async def test_a_signed_link_opens_one_content_until_it_expires(site: Site) -> None:
    made = await uploaded(site)
    other = await uploaded(site, b"other")
    device = await site.device()
    path = await link_of(site, made, device)
    assert path.startswith(f"/api/v1/media/{made['id']}/content?device={device['id']}&login=")
    other_device = await site.device("d2")
    site.headers = {}
    answer = await site.raw("GET", path)
    assert (answer.status_code, await answer.get_data()) == (200, PNG)
    part_of = await site.raw("GET", path, headers={"Range": "bytes=0-3"})
    assert (part_of.status_code, await part_of.get_data()) == (206, PNG[:4])
    assert (await site.raw("HEAD", path)).status_code == 200
    expires = int(path.partition("expires=")[2].partition("&")[0])
    for wrong, status in (
        (path.replace(made["id"], other["id"]), 403),
        (path.replace(f"expires={expires}", f"expires={expires + 1}"), 403),
        (path[:-1] + ("0" if path[-1] != "0" else "1"), 403),
        (path.replace(f"expires={expires}&", ""), 403),
        (path.replace(device["id"], other_device["id"]), 403),
        (path.replace(f"device={device['id']}&", ""), 403),
        (re.sub("login=[0-9a-f]+", f"login={'0' * 16}", path), 403),
        (re.sub("login=[0-9a-f]+", "login=x", path), 422),
        (path.partition("&signature=")[0], 401),
        (path[:-1], 422),
        (path.replace(f"expires={expires}", "expires=soon"), 422),
        (path.replace("/content", ""), 401),
    ):
        answer = await site.raw("GET", wrong)
        assert answer.status_code == status, wrong
        assert answer.content_type == "application/problem+json"
    site.clock.advance(59)
    assert (await site.raw("GET", path)).status_code == 200
    site.clock.advance(1)
    assert (await site.raw("GET", path)).status_code == 403


async def test_a_link_to_what_was_deleted_finds_nothing(site: Site) -> None:
    made = await uploaded(site)
    path = await link_of(site, made, await site.device())
    await site.call("DELETE", f"/media/{made['id']}")
    site.headers = {}
    assert (await site.raw("GET", path)).status_code == 404


async def link_of(site: Site, media: Any, device: Any) -> str:
    """The path of a link to the media, for this device."""
    name = client_id_of(device["id"])
    login = (await site.service.store.logins([name]))[name]
    expires_us = site.clock.now_us() + 60 * SECOND_US
    link = site.service.links.url(media["id"], expires_us, device["id"], login.password_sha256)
    return link.removeprefix("http://roost.example")


@pytest.mark.parametrize("end", ["device", "credentials"])
async def test_a_link_ends_with_its_device_and_its_credentials(site: Site, end: str) -> None:
    """Whoever had read a command of a device could fetch the media for a day."""
    made, device = await uploaded(site), await site.device()
    path = await link_of(site, made, device)
    other = await link_of(site, made, await site.device("d2"))
    if end == "device":
        assert (await site.call("DELETE", f"/devices/{device['id']}"))[0] == 204
    else:
        assert (await site.post(f"/devices/{device['id']}/credentials", {}))[0] == 201
    site.headers = {}
    assert (await site.raw("GET", path)).status_code == 403
    assert (await site.raw("GET", other)).status_code == 200


async def test_a_link_of_an_earlier_version_is_good_until_it_expires(site: Site) -> None:
    made = await uploaded(site)
    expires = site.clock.now_us() // SECOND_US + 60
    key = hmac.digest(b"s" * 32, PURPOSE, "sha256")
    signature = hmac.digest(key, f"{made['id']}\n{expires}".encode(), "sha256").hex()
    path = f"/api/v1/media/{made['id']}/content?expires={expires}&signature={signature}"
    site.headers = {}
    assert (await site.raw("GET", path)).status_code == 200
    site.clock.advance(60)
    assert (await site.raw("GET", path)).status_code == 403
