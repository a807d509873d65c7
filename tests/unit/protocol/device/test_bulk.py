"""Import of devices from CSV, through the REST API."""

import csv
import io
from typing import Any

from tests.unit.site import Site


async def bring(site: Site, content: bytes, kind: str = "text/csv") -> Any:
    headers = {"Content-Type": kind}
    return await site.raw("POST", "/api/v1/devices/import", data=content, headers=headers)


async def test_a_file_makes_devices_and_answers_with_their_credentials(site: Site) -> None:
    content = "\ufeffdevice_code,Name,offline_after_s\nshed-1,Shed één,60\nshed-2,,\n".encode()
    answer = await bring(site, content)
    assert answer.status_code == 201
    assert 'filename="credentials.csv"' in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO((await answer.get_data()).decode())))
    assert [row["device_code"] for row in rows] == ["shed-1", "shed-2"]
    assert all(row["password"] and row["topic_prefix"].endswith(row["device_code"]) for row in rows)
    _, listed = await site.call("GET", "/devices")
    assert [(d["name"], d["offline_after_s"]) for d in listed["items"]] == [
        ("Shed één", 60),
        ("shed-2", 300),
    ]
    (login,) = (await site.service.store.logins([rows[0]["username"]])).values()
    assert login.device_code == "shed-1"


async def test_a_file_with_a_mistake_makes_nothing(site: Site) -> None:
    await site.device("taken")
    many = "device_code\n" + "".join(f"d{n}\n" for n in range(1_001))
    for content, status in (
        (b"device_code\nfree\ntaken\n", 409),
        (b"device_code,name\nfree,x\nno code,y\n", 422),
        (b"device_code,offline_after_s\nfree,0\n", 422),
        (b"device_code\nfree\nfree\n", 422),
        (b"device_code,name\nfree\n", 422),
        (b"device_code,name\nfree,a,b\n", 422),
        (b"device_code\n", 422),
        (many.encode(), 422),
        (b"name\nx\n", 400),
        (b"device_code,colour\nfree,red\n", 400),
        (b"device_code\n\xff\n", 400),
        (b'device_code\n"x', 400),
        (b"", 400),
        (b"device_code" + b",x" * 60_000 + b"\nfree\n", 400),
    ):
        assert (await bring(site, content)).status_code == status, content[:60]
    assert (await bring(site, b"device_code\nx\n", "application/json")).status_code == 415
    _, listed = await site.call("GET", "/devices")
    assert [d["device_code"] for d in listed["items"]] == ["taken"]


async def test_mistakes_are_named_by_their_lines(site: Site) -> None:
    content = b"device_code,offline_after_s\ngood,60\nbad code,60\ngood2,soon\n"
    answer = await bring(site, content)
    errors = (await answer.get_json())["errors"]
    assert set(errors) == {"line 3, device_code", "line 4, offline_after_s"}
