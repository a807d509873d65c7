"""A certificate is read again when its files change; broken files change nothing."""

import os
import shutil
import signal
import ssl
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path

import pytest
import trio
import trio.testing

from protocol.errors import Unavailable
from protocol.times import SECOND_US
from roost.tls.authority import Authority
from roost.tls.certificates import LOOK_EVERY_S, SOON_US, Certificates, Loaded, TlsFiles
from tests.conftest import Logs

NOW_US = 1_800_000_000 * SECOND_US


class Scene:
    def __init__(self, folder: Path) -> None:
        self.authority = Authority.of(folder, NOW_US)
        self.certificate, self.key = self.authority.issue_server(["old.lan"], 30)
        self.certificates = Certificates(TlsFiles(self.certificate, self.key))
        self.names: list[tuple[str, ...]] = []
        self.told = trio.Event()
        self.certificates.tell(self.take)

    async def take(self, loaded: Loaded) -> None:
        await trio.lowlevel.checkpoint()
        self.names.append(loaded.pair.names)
        self.told.set()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_renewed_certificate_is_used_and_told(scene: Scene) -> None:
    await scene.certificates.look()
    assert scene.names == []
    scene.authority.issue_server(["new.lan"], 30)
    await scene.certificates.look()
    assert scene.names == [("new.lan",)]
    assert scene.certificates.loaded.pair.names == ("new.lan",)
    await scene.certificates.look()
    assert scene.certificates.reloads == 1


async def test_a_certificate_without_its_key_changes_nothing_and_is_tried_again(
    scene: Scene, logs: Logs
) -> None:
    logs.claim("new certificate not used")
    earlier = scene.key.read_bytes()
    scene.authority.issue_server(["new.lan"], 30)
    newer = scene.key.read_bytes()
    scene.key.write_bytes(earlier)
    await scene.certificates.look()
    assert scene.names == []
    assert scene.certificates.loaded.pair.names == ("old.lan",)
    (told,) = scene.certificates.checks(NOW_US).values()
    assert "is not the key of" in told
    await scene.certificates.look()
    assert len(logs.of("new certificate not used")) == 1  # not at every look
    scene.key.write_bytes(newer)
    await scene.certificates.look()
    assert scene.names == [("new.lan",)]
    assert scene.certificates.checks(NOW_US) == {}


async def test_files_with_the_same_content_are_no_reason_to_disconnect_anybody(
    scene: Scene,
) -> None:
    scene.key.write_bytes(scene.key.read_bytes())
    await scene.certificates.look(always=True)
    assert (scene.names, scene.certificates.reloads) == ([], 0)


async def test_who_could_not_take_it_is_told_again(scene: Scene, logs: Logs) -> None:
    logs.claim("new certificate not used")
    failures = iter([True])

    async def fail_once(loaded: Loaded) -> None:
        await trio.lowlevel.checkpoint()
        if next(failures, False):
            raise Unavailable("away")

    scene.certificates.tell(fail_once)
    scene.authority.issue_server(["new.lan"], 30)
    await scene.certificates.look()
    assert scene.certificates.trouble == "away"
    await scene.certificates.look()
    assert scene.certificates.trouble == ""
    assert scene.certificates.loaded.pair.names == ("new.lan",)


def test_its_end_is_told_a_week_before(scene: Scene) -> None:
    ends_us = scene.certificates.not_after_us
    assert scene.certificates.checks(ends_us - SOON_US) == {}
    assert "ends at" in scene.certificates.checks(ends_us - SOON_US + 1)["tls"]
    assert "ended at" in scene.certificates.checks(ends_us)["tls"]


async def test_each_handshake_uses_the_newest_certificate(scene: Scene, tmp_path: Path) -> None:
    context = scene.certificates.context()
    client = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    assert await name_of(context, client, "old.lan") == "old.lan"
    scene.authority.issue_server(["new.lan"], 30)
    await scene.certificates.look()
    assert await name_of(context, client, "new.lan") == "new.lan"


async def name_of(server: ssl.SSLContext, client: ssl.SSLContext, wanted: str) -> str:
    """The name in the certificate that a client is shown; it agrees on HTTP/2."""
    client.set_alpn_protocols(["h2"])
    client.verify_flags |= 0x200000  # the time of the test is not that of the certificate
    ours, theirs = trio.testing.memory_stream_pair()
    serving = trio.SSLStream(ours, server, server_side=True)
    asking = trio.SSLStream(theirs, client, server_hostname=wanted)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serving.do_handshake)
        await asking.do_handshake()
    assert serving.selected_alpn_protocol() == "h2"
    ((_, name),) = asking.getpeercert()["subjectAltName"]
    return str(name)


@pytest.fixture
def hangup() -> Iterator[None]:
    """A SIGHUP that comes too early or too late must not end the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
async def test_sighup_and_a_change_are_reasons_to_look(
    scene: Scene, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.certificates.watch)
        await trio.testing.wait_all_tasks_blocked()
        autojump_clock.autojump_threshold = inf  # no look while files are written
        scene.authority.issue_server(["first.lan"], 30)
        os.kill(os.getpid(), signal.SIGHUP)
        await scene.told.wait()
        assert scene.names == [("first.lan",)]
        scene.told = trio.Event()
        scene.authority.issue_server(["second.lan"], 30)
        autojump_clock.jump(LOOK_EVERY_S)
        await scene.told.wait()
        assert scene.names == [("first.lan",), ("second.lan",)]
        nursery.cancel_scope.cancel()


async def test_two_looks_at_once_tell_a_certificate_once(scene: Scene) -> None:
    scene.authority.issue_server(["first.lan"], 30)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(partial(scene.certificates.look, always=True))
    assert scene.names == [("first.lan",)]


async def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    """So do the programs that renew certificates."""
    authority = Authority.of(tmp_path / "ca", NOW_US)
    for version in ("1", "2"):
        made = authority.issue_server([f"v{version}.lan"], 30)
        (tmp_path / version).mkdir()
        for file, name in zip(made, ("cert", "key"), strict=True):
            shutil.copy(file, tmp_path / version / name)
    live = tmp_path / "live"
    live.symlink_to("1")
    certificates = Certificates(TlsFiles(live / "cert", live / "key"))
    live.unlink()
    live.symlink_to("2")
    await certificates.look()
    assert certificates.loaded.pair.names == ("v2.lan",)
