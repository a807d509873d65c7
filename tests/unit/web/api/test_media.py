"""The media library over REST and the twins: what comes in, and what is kept."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import trio

from actors.adapters.memory.clocks import PlainHasher
from tests.unit.media_calls import PNG, as_bob, content_of, upload, uploaded
from tests.unit.multipart import BOUNDARY, HEADERS, body, part
from tests.unit.samples import REFUSED, TAKEN, png
from tests.unit.site import ACCOUNT, Site
from web.app import create_app
from web.http.context import WebSettings
from web.http.upload_places import UPLOADS_OF_USER_MAX
from web.http.uploads import AROUND_BYTES

NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_an_upload_is_listed_shown_counted_and_given_back(site: Site) -> None:
    made = await uploaded(site)
    assert (made["filename"], made["content_type"]) == ("a.png", "image/png")
    assert (made["size"], made["width"], made["height"]) == (len(PNG), 3, 2)
    assert len(made["sha256"]) == 64
    assert await site.call("GET", f"/media/{made['id']}") == (200, made)
    assert await site.call("GET", "/media") == (200, {"items": [made], "next": None})
    answer = await content_of(site, made)
    assert (answer.status_code, await answer.get_data()) == (200, PNG)
    status, stats = await site.call("GET", "/media/stats")
    assert (status, stats["count"], stats["bytes"]) == (200, 1, len(PNG))
    assert stats["by_type"] == {"image/png": {"count": 1, "bytes": len(PNG)}}
    assert len(stats["uploads_per_day"]) == 30
    today = {"count": 1, "bytes": len(PNG), "day": made["created_at"][:10]}
    assert stats["uploads_per_day"][-1] == today


async def test_uploads_are_counted_by_the_days_of_a_zone(site: Site) -> None:
    made = await uploaded(site)
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        status, stats = await site.call("GET", f"/media/stats?tz={zone}")
        assert status == 200
        created = datetime.fromisoformat(made["created_at"]).astimezone(ZoneInfo(zone))
        assert stats["uploads_per_day"][-1]["day"] == created.date().isoformat()
        assert [day["count"] for day in stats["uploads_per_day"]] == [0] * 29 + [1]
        shown = (await site.call("GET", f"/dashboard/stats?tz={zone}"))[1]["media"]
        assert shown == stats
    status, problem = await site.call("GET", "/media/stats?tz=Mars")
    assert (status, list(problem["errors"])) == (422, ["tz"])


@pytest.mark.parametrize("name", TAKEN)
async def test_the_declared_type_and_the_name_are_not_believed(site: Site, name: str) -> None:
    content, kind, size = TAKEN[name]
    made = await uploaded(site, content, "lies.svg")
    assert made["content_type"] == kind
    assert (made.get("width"), made.get("height")) == size
    answer = await content_of(site, made)
    assert answer.content_type.partition(";")[0] == kind
    assert await answer.get_data() == content


@pytest.mark.parametrize("name", REFUSED)
async def test_a_type_that_is_not_taken_is_415_and_leaves_nothing(site: Site, name: str) -> None:
    status, problem = await upload(site, REFUSED[name], "photo.png")
    assert (status, problem["title"]) == (415, "Unsupported media type")
    assert "plain UTF-8 text" in problem["detail"]
    assert (await site.call("GET", "/media"))[1]["items"] == []
    assert site.files.drafts == 0


async def test_the_same_content_again_is_the_media_that_is_there(site: Site) -> None:
    first = await uploaded(site, PNG, "first.png")
    assert await upload(site, PNG, "second.png") == (200, first)
    await as_bob(site)
    other = await uploaded(site, PNG, "third.png")
    assert (other["sha256"], other["filename"]) == (first["sha256"], "third.png")
    assert other["id"] != first["id"]


async def test_a_content_goes_with_the_last_who_has_it(site: Site) -> None:
    adas, headers = await uploaded(site), site.headers
    await as_bob(site)
    bobs = await uploaded(site)
    assert (await site.call("DELETE", f"/media/{bobs['id']}"))[0] == 204
    assert (await site.call("GET", f"/media/{bobs['id']}"))[0] == 404
    assert (await content_of(site, bobs)).status_code == 404
    site.headers = headers
    assert await (await content_of(site, adas)).get_data() == PNG
    assert site.files.contents == 1
    assert (await site.call("DELETE", f"/media/{adas['id']}"))[0] == 204
    assert (await site.call("DELETE", f"/media/{adas['id']}"))[0] == 404
    assert site.files.contents == 0


async def test_lists_come_in_pages_newest_first(site: Site) -> None:
    for n in range(5):
        await uploaded(site, f"text {n}".encode(), f"{n}.txt")
    _, page = await site.call("GET", "/media?limit=2")
    seen = [item["filename"] for item in page["items"]]
    while page["next"]:
        _, page = await site.call("GET", f"/media?limit=2&cursor={page['next']}")
        seen += [item["filename"] for item in page["items"]]
    assert seen == ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]


async def test_media_are_their_owners_alone(site: Site) -> None:
    made = await uploaded(site)
    calls = [("GET", ""), ("DELETE", ""), ("GET", "/content")]
    site.headers = {}
    for method, tail in [*calls, ("HEAD", "/content")]:
        answer = await site.raw(method, f"/api/v1/media/{made['id']}{tail}")
        assert answer.status_code == 401
    for method, path in (("GET", "/media"), ("GET", "/media/stats"), ("POST", "/media")):
        assert (await site.call(method, path))[0] == 401
    await as_bob(site)
    for media_id in (made["id"], NOBODY, "rubbish"):
        for method, tail in calls:
            assert (await site.call(method, f"/media/{media_id}{tail}"))[0] == 404
    assert (await site.call("GET", "/media"))[1]["items"] == []
    assert (await site.call("GET", "/media/stats"))[1]["count"] == 0


def closed(data: bytes) -> bytes:
    return data + f"--{BOUNDARY}--\r\n".encode()


BAD_BODIES: list[tuple[bytes, dict[str, str], int]] = [
    (b"", HEADERS, 400),
    (b"rubbish", HEADERS, 400),
    (body(), HEADERS, 422),
    (body(part(b"")), HEADERS, 422),
    (body(part(PNG), part(PNG)), HEADERS, 422),
    (body(part(b"x", None, "title"), part(PNG)), HEADERS, 422),
    (body(part(PNG), part(b"x", None, "title")), HEADERS, 422),
    (body(part(PNG, name="files")), HEADERS, 422),
    (part(PNG), HEADERS, 400),
    (part(PNG)[:-20], HEADERS, 400),
    (body(part(PNG))[:-6], HEADERS, 400),
    (closed(f"--{BOUNDARY}\r\n\r\n".encode()), HEADERS, 400),
    (closed(f"--{BOUNDARY}\r\nA: \r\n\r\nx\r\n".encode()), HEADERS, 400),
    (closed(f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode()), HEADERS, 422),
    (closed(f"--{BOUNDARY}\r\n".encode() + b"A: \xff\r\n\r\nx\r\n"), HEADERS, 400),
    (b"x" * (1 << 20) * 3, HEADERS, 400),
    (f"--{BOUNDARY}\r\n".encode() + b"A: b\r\n" * 300_000, HEADERS, 400),
    (PNG, {"Content-Type": "image/png"}, 415),
    (b"{}", {"Content-Type": "application/json"}, 415),
    (PNG, {}, 415),
    (body(part(PNG)), {"Content-Type": "multipart/form-data"}, 400),
    (body(part(PNG)), {"Content-Type": "multipart/form-data; boundary="}, 400),
    (body(part(PNG)), {"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}, 400),
    (body(part(PNG)), {"Content-Type": "multipart/form-data; boundary=other"}, 400),
]


@pytest.mark.parametrize("n", range(len(BAD_BODIES)))
async def test_a_bad_body_gets_a_problem_and_leaves_nothing(site: Site, n: int) -> None:
    data, headers, status = BAD_BODIES[n]
    got, problem = await site.call("POST", "/media", data=data, headers=headers)
    assert got == status, problem
    assert problem["detail"]
    assert site.files.drafts == 0
    assert (await site.call("GET", "/media"))[1]["items"] == []


async def test_a_part_without_a_name_of_a_file_is_taken_as_one(site: Site) -> None:
    status, made = await site.call("POST", "/media", data=body(part(PNG, None)), headers=HEADERS)
    assert (status, made["filename"]) == (201, "unnamed")


def smaller(site: Site, file: int, quota: int = 1 << 20) -> None:
    settings = WebSettings(jwt_secret="s" * 32, media_bytes_max=file, media_quota_bytes=quota)
    site.app = create_app(site.service, PlainHasher(), settings)


async def test_a_file_and_all_files_of_a_user_have_a_bound(site: Site) -> None:
    smaller(site, 1000, 1500)
    status, problem = await upload(site, b"x" * 1001)
    assert (status, problem["title"]) == (413, "Body too large")
    await uploaded(site, b"x" * 1000)
    status, problem = await upload(site, b"y" * 501)
    assert (status, "500 bytes" in problem["detail"]) == (413, True)
    await uploaded(site, b"y" * 500)
    status, problem = await upload(site, b"z")
    assert (status, "delete some" in problem["detail"]) == (413, True)
    await as_bob(site)
    await uploaded(site, b"x" * 1000)
    assert site.files.drafts == 0


async def test_what_is_declared_too_large_is_refused_before_it_comes(site: Site) -> None:
    smaller(site, 1000)
    headers = {**site.headers, **HEADERS, "Content-Length": str(1001 + AROUND_BYTES)}
    async with site.app.test_client().request(
        "/api/v1/media", method="POST", headers=headers
    ) as line:
        answer = await line.as_response()
        assert answer.status_code == 413
        await line.disconnect()


async def test_a_full_disk_is_503_and_leaves_nothing(site: Site) -> None:
    site.files.room = 10
    status, problem = await upload(site, b"x" * 11)
    assert (status, "no room" in problem["detail"]) == (503, True)
    assert site.files.drafts == 0
    assert (await site.call("GET", "/media"))[1]["items"] == []


async def test_the_store_away_is_503_and_the_content_is_doubted(site: Site) -> None:
    site.faults.answers = 1  # the row is there, and nobody hears of it
    assert (await upload(site))[0] == 503
    assert len(await site.files.doubtful(0)) == 1
    status, made = await upload(site)  # who sends again is told
    assert status == 200
    assert await site.files.doubtful(0) == []
    assert await (await content_of(site, made)).get_data() == PNG


async def drafts(site: Site, number: int) -> None:
    with trio.fail_after(5):
        while site.files.drafts != number:
            await trio.lowlevel.checkpoint()


async def hang_up(site: Site, leave: trio.Event) -> None:
    """Send half a file, and close the line when told."""
    # The test client waits for an answer also where it has hung up.
    with trio.CancelScope() as waiting:
        async with site.app.test_client().request(
            "/api/v1/media", method="POST", headers={**site.headers, **HEADERS}
        ) as line:
            await line.send(part(b"x" * 100_000)[:-100])
            await leave.wait()
            await line.disconnect()
            await drafts(site, 0)
            waiting.cancel()


async def test_clients_that_hang_up_leave_nothing_and_their_places(site: Site) -> None:
    leave = trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(UPLOADS_OF_USER_MAX):
            nursery.start_soon(hang_up, site, leave)
        await drafts(site, UPLOADS_OF_USER_MAX)
        answer = await site.raw("POST", "/api/v1/media", data=body(part(PNG)), headers=HEADERS)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        leave.set()
    assert (await site.call("GET", "/media"))[1]["items"] == []
    await uploaded(site)


async def test_media_that_a_schedule_needs_stay(site: Site) -> None:
    made = await uploaded(site)
    device = await site.device()
    plan = {
        "media_id": made["id"],
        "device_id": device["id"],
        "trigger_time": "2030-01-01T00:00:00Z",
    }
    status, schedule = await site.post("/media-schedules", plan)
    assert status == 201, schedule
    status, problem = await site.call("DELETE", f"/media/{made['id']}")
    assert (status, "schedule" in problem["detail"]) == (409, True)
    assert await (await content_of(site, made)).get_data() == PNG
    assert await site.files.doubtful(0) == []
    await site.call("DELETE", f"/media-schedules/{schedule['id']}")
    assert (await site.call("DELETE", f"/media/{made['id']}"))[0] == 204


async def test_a_word_beside_ids_has_methods_of_its_own(site: Site) -> None:
    answer = await site.raw("DELETE", "/api/v1/media/stats")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    assert (await site.call("DELETE", "/media/statsx"))[0] == 404


async def test_the_document_tells_of_files_as_they_are(site: Site) -> None:
    document = await (await site.raw("GET", "/openapi.json")).get_json()
    sent = document["paths"]["/api/v1/media"]["post"]
    assert list(sent["requestBody"]["content"]) == ["multipart/form-data"]
    assert {"200", "201", "400", "408", "413", "415", "422", "503"} <= sent["responses"].keys()
    taken = document["paths"]["/api/v1/media/{media_id}/content"]["get"]
    assert {"200", "206", "304", "401", "403", "404", "416"} <= taken["responses"].keys()
    assert "image/png" in taken["responses"]["206"]["content"]
    assert taken["responses"]["416"]["headers"]["Content-Range"]["required"]
    assert {} in taken["security"]
    names = {each["name"] for each in taken["parameters"]}
    assert {"media_id", "expires", "signature", "Range", "If-None-Match"} <= names


async def test_other_bodies_keep_their_bound(site: Site) -> None:
    # The paths of uploads are theirs alone: other bodies keep their bound of a megabyte.
    answer = await site.raw("POST", "/api/v1/users", data=b"x" * (2 << 20))
    assert answer.status_code == 413
    assert (await site.post("/login/access-token", ACCOUNT))[0] == 200


async def test_a_slow_call_for_one_content_holds_up_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await uploaded(site, png(3), "slow.png")
    hangs, goes_on = trio.Event(), trio.Event()
    delete = site.service.store.delete_media

    async def slow(user_id: str, media_id: str) -> None:
        if media_id == ada["id"]:
            hangs.set()
            await goes_on.wait()
        await delete(user_id, media_id)

    monkeypatch.setattr(site.service.store, "delete_media", slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.call, "DELETE", f"/media/{ada['id']}")
        await hangs.wait()
        try:
            with trio.fail_after(10):
                other = await uploaded(site, png(4), "other.png")
                assert (await site.call("DELETE", f"/media/{other['id']}"))[0] == 204
        finally:
            goes_on.set()
    assert (await site.call("GET", f"/media/{ada['id']}"))[0] == 404
