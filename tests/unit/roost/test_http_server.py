"""hypercorn's server as we mended it, over lines of memory: heads that do not end, upgrades with
data behind them, connections that give way."""

from typing import Any

import pytest
import trio
import trio.testing

from tests.support.http_server import (
    HEAD,
    HEAD_WITHIN_S,
    PING,
    UPGRADE,
    serving,
    text_frame,
    until_closed,
)
from web.http.connections import GAVE_WAY, OF_ALL, SLOW_HEAD


async def test_what_comes_with_an_upgrade_is_taken(autojump_clock: Any, caplog: Any) -> None:
    """It was answered 400, and a moment later the application's 101 raised in h11."""
    async with serving() as server:
        line = server.connect()
        await line.send_all(UPGRADE + text_frame(b"early"))
        await line.send_all(text_frame(b"next"))
        heard = b""
        with trio.fail_after(5):
            while b"next" not in heard:
                heard += await line.receive_some(65_536)
        assert heard.startswith(b"HTTP/1.1 101")
        assert heard.index(b"early") < heard.index(b"next")
    assert not [record for record in caplog.records if record.exc_info]


async def test_many_messages_go_out_in_one_write_and_none_behind_the_end(
    autojump_clock: Any,
) -> None:
    async with serving() as server:
        line = server.connect()
        await line.send_all(UPGRADE.replace(b"/ws", b"/frames"))
        wanted = b"".join(as_server(b"%d" % n) for n in range(1_000))
        with trio.fail_after(5):
            head = await line.receive_some(65_536)
            assert head.startswith(b"HTTP/1.1 101")
            writes = [await line.receive_some(65_536) for _ in range(2)]
            assert sorted(map(bytes, writes)) == sorted([wanted, PING])
            await line.send_all(text_frame(b"enough"))
            assert await line.receive_some(65_536) == b"\x88\x02\x03\xe8"  # closed, with 1000
            await line.aclose()


def as_server(text: bytes) -> bytes:
    """A short one, without a mask."""
    return bytes([0x81, len(text)]) + text


async def test_an_upgrade_that_is_refused_ends_its_connection(autojump_clock: Any) -> None:
    """A wrong version was answered, and the connection stayed, without any time-out."""
    async with serving() as server:
        for said, answer in (
            (UPGRADE.replace(b"13", b"12"), b"400"),
            (UPGRADE.replace(b"/ws", b"/refused") + text_frame(b"early"), b"403"),
        ):
            line = server.connect()
            await line.send_all(said)
            with trio.fail_after(2):
                assert (await until_closed(line)).split()[1] == answer
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.connections) == 0


async def test_a_socket_that_has_ended_keeps_no_place(autojump_clock: Any) -> None:
    """Until its next ping it did: twenty seconds."""
    async with serving() as server:
        line = server.connect()
        await line.send_all(UPGRADE)
        assert b"101" in await line.receive_some(65_536)
        await line.aclose()
        await trio.sleep(1)
        assert len(server.connections) == 0


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_end_ends_its_connection(
    autojump_clock: Any, said: bytes
) -> None:
    """However slowly it comes: a byte a second is no sign of life."""
    async with serving() as server:
        line = server.connect()
        if said:
            await line.send_all(said)

        async def dribble() -> None:
            while said:
                await trio.sleep(1)
                try:
                    await line.send_all(b"x")
                except trio.BrokenResourceError:
                    return

        async with trio.open_nursery() as nursery:
            nursery.start_soon(dribble)
            with trio.fail_after(HEAD_WITHIN_S + 1):
                assert await until_closed(line) == b""
            nursery.cancel_scope.cancel()
        assert server.connections.closed_for[SLOW_HEAD] == bool(said)


async def test_a_connection_on_which_nothing_is_asked_gives_way(autojump_clock: Any) -> None:
    async with serving(most=2) as server:
        silent, asking = server.connect(), server.connect()
        known_upgrade = UPGRADE.replace(b"/ws", b"/known")
        await asking.send_all(known_upgrade)
        assert b"101" in await asking.receive_some(65_536)
        newcomer = server.connect()
        await newcomer.send_all(HEAD)
        with trio.fail_after(1):
            assert await until_closed(silent) == b""
            assert b"204" in await newcomer.receive_some(65_536)
        await newcomer.send_all(known_upgrade)
        assert b"101" in await newcomer.receive_some(65_536)
        refused = server.connect()
        with trio.fail_after(1):
            assert await until_closed(refused) == b""
        closed = server.connections.closed_for
        assert (closed[GAVE_WAY], closed[OF_ALL]) == (1, 1)
        await asking.send_all(text_frame(b"still there"))
        with trio.fail_after(1):
            while b"still there" not in await asking.receive_some(65_536):
                pass
