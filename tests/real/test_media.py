"""Media, and schedules that play them, with real clients, a real disk and real kills."""

import hashlib
import json
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.real.harness import (
    WAIT_S,
    Dashboard,
    DeviceClient,
    Person,
    Roost,
    dashboard,
    eventually,
    running,
)
from tests.unit.multipart import BOUNDARY, HEADERS
from tests.unit.samples import png

MIB = 1 << 20
LARGE_MIB = 64
# What uploads may use in memory: threads with their stacks, chunks, the decoder.
GROWTH_MIB = 32
SOUND = b"RIFF" + struct.pack("<I", 36 + LARGE_MIB * MIB) + b"WAVEfmt " + bytes(24)


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """A separate server, so that nothing else has used its memory."""
    return own_roost


def upload(person: Person, content: bytes, name: str = "a.png") -> dict[str, Any]:
    answer = person.call("POST", "/media", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def body(mebibytes: int, is_whole: bool = True) -> Iterator[bytes]:
    """A multipart body with an audio file of that size, generated while it is sent."""
    yield f"--{BOUNDARY}\r\n".encode()
    yield b'Content-Disposition: form-data; name="file"; filename="long.wav"\r\n\r\n'
    yield SOUND
    for n in range(mebibytes):
        yield bytes([n]) * MIB
    if is_whole:
        yield f"\r\n--{BOUNDARY}--\r\n".encode()


def peak_mib(roost: Roost) -> float:
    """The service's peak memory (MiB)."""
    assert roost.process is not None
    status = Path(f"/proc/{roost.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


async def state_comes(screen: Dashboard, state: str) -> None:
    while True:
        schedule = (await screen.until("schedule_update"))["schedule"]
        if schedule.get("occurrence", {}).get("state") == state:
            return


async def test_a_schedule_fires_on_a_device_that_fetches_and_plays_it(
    roost: Roost, ada: Person
) -> None:
    content = png(40, 30)
    media = await trio.to_thread.run_sync(upload, ada, content)
    device = ada.device("screen")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("commands")
    due_at = soon(1.0)
    async with dashboard(roost, ada) as screen:
        assert (await screen.next())["type"] == "device_list"
        plan = {"media_id": media["id"], "device_id": device["id"], "trigger_time": due_at}
        schedule = await trio.to_thread.run_sync(ada.post, "/media-schedules", plan)
        heard = await trio.to_thread.run_sync(client.next)
        late_s = (datetime.now(UTC) - datetime.fromisoformat(due_at)).total_seconds()
        assert heard is not None
        command = json.loads(heard[1])
        assert command["type"] == "play_media"
        assert 0 <= late_s < WAIT_S / 4  # bench/ measures how late; early is always wrong
        play = command["payload"]
        assert (play["media_id"], play["size"]) == (media["id"], len(content))

        def fetch(**headers: str) -> httpx.Response:
            return httpx.get(play["url"], headers=headers)

        whole = await trio.to_thread.run_sync(fetch)
        assert hashlib.sha256(whole.content).hexdigest() == play["sha256"] == media["sha256"]
        assert whole.headers["content-type"] == play["content_type"] == "image/png"
        part = await trio.to_thread.run_sync(lambda: fetch(Range="bytes=8-15"))
        assert (part.status_code, part.content) == (206, content[8:16])
        for status in ("delivered", "succeeded"):
            tail = f"commands/{command['id']}/ack"
            await trio.to_thread.run_sync(client.publish, tail, {"status": status})
        await state_comes(screen, "completed")
    path = f"/media-schedules/{schedule['id']}/occurrences"
    (occurrence,) = (await trio.to_thread.run_sync(ada.get, path))["items"]
    assert (occurrence["state"], occurrence["command_id"]) == ("completed", command["id"])
    client.close()


def test_a_large_file_is_never_whole_in_memory(roost: Roost, ada: Person) -> None:
    upload(ada, b"whatever an upload needs is loaded", "a.txt")
    before = peak_mib(roost)
    answer = ada.call("POST", "/media", content=body(LARGE_MIB), headers=HEADERS)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["size"] == len(SOUND) + LARGE_MIB * MIB
    digest = hashlib.sha256()
    url = f"{roost.url}/api/v1/media/{made['id']}/content"
    with ada.http.stream("GET", url, headers={"x-auth-token": ada.token}) as content:
        for chunk in content.iter_bytes():
            digest.update(chunk)
    assert digest.hexdigest() == made["sha256"]
    assert peak_mib(roost) - before < GROWTH_MIB


def test_a_kill_in_the_middle_of_an_upload_leaves_nothing(begun: Path) -> None:
    with running(begun) as roost:
        ada = roost.user()
        incoming = roost.data_dir / "media" / "incoming"
        half_sent, killed = threading.Event(), threading.Event()

        def chunks() -> Iterator[bytes]:
            yield from body(8, is_whole=False)
            half_sent.set()
            killed.wait(WAIT_S)
            yield b"more"

        def send() -> None:
            with pytest.raises(httpx.TransportError):
                ada.call("POST", "/media", content=chunks(), headers=HEADERS)

        sender = threading.Thread(target=send)
        sender.start()
        assert half_sent.wait(WAIT_S)
        eventually(lambda: [draft.stat().st_size for draft in incoming.iterdir()], any)
        roost.kill()
        killed.set()
        sender.join()
        assert list(incoming.iterdir())
        roost.start()
        assert list(incoming.iterdir()) == []
        assert ada.get("/media")["items"] == []
        kept = upload(ada, png())
        roost.kill()
        roost.start()
        content = ada.call("GET", f"/media/{kept['id']}/content")
        assert hashlib.sha256(content.content).hexdigest() == kept["sha256"]
