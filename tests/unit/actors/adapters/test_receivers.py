"""Deliveries over real sockets: what is sent, and where it may not go."""

import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
import trustme

from actors.adapters.http import webhooks as receivers
from actors.adapters.http.webhooks import HttpReceivers

BODY = b'{"a":1}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Names(trio.abc.HostnameResolver):
    """A name server that answers what it is told to, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def getaddrinfo(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))
            for address in self.addresses
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


@pytest.fixture
async def names() -> Names:
    """What every name leads to in this test."""
    await trio.lowlevel.checkpoint()
    resolver = Names("127.0.0.1")
    trio.socket.set_custom_hostname_resolver(resolver)
    return resolver


class Server:
    """Answers every connection the same, and keeps what it was asked."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.port = 0
        self._context = context

    async def serve(self, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._handle, [listener], task_status=task_status)

    async def _handle(self, stream: trio.abc.Stream) -> None:
        if self._context is not None:
            stream = trio.SSLStream(stream, self._context, server_side=True, https_compatible=True)
        try:
            asked = b""
            while not asked.endswith(BODY):
                asked += await stream.receive_some(65_536)
            self.asked.append(asked)
            if self.answer:
                await stream.send_all(self.answer)
            else:
                await trio.sleep_forever()
            await stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


@pytest.fixture
async def servers() -> AsyncIterator[Any]:
    """Starts servers that answer so: `await servers(OK)`."""
    async with trio.open_nursery() as nursery:

        async def start(answer: bytes, context: ssl.SSLContext | None = None) -> Server:
            server = Server(answer, context)
            await nursery.start(server.serve)
            return server

        yield start
        nursery.cancel_scope.cancel()


anywhere = partial(HttpReceivers, "roost/1", private=True)


async def post(receiver: HttpReceivers, url: str) -> Any:
    return await receiver.post(url, {"webhook-id": "e1"}, BODY)


def code_of(outcome: Any) -> str:
    assert str(outcome.why) == outcome.detail
    return str(outcome.why.code)


async def test_a_delivery_is_one_post_with_its_headers(servers: Any, names: Names) -> None:
    server = await servers(OK)
    outcome = await post(anywhere(), f"http://receiver.example:{server.port}/in?x=1")
    assert (outcome.status, outcome.is_good) == (200, True)
    (asked,) = server.asked
    head, _, body = asked.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert f"host: receiver.example:{server.port}".encode() in head.lower()
    assert b"webhook-id: e1" in head
    assert b"user-agent: roost/1" in head.lower()
    assert (body, names.asked) == (BODY, 1)


async def test_a_name_of_this_machine_is_not_asked(servers: Any, names: Names) -> None:
    server = await servers(OK)
    outcome = await post(HttpReceivers("roost/1"), f"http://receiver.example:{server.port}/")
    assert outcome.status is None
    assert outcome.detail == "receiver.example has no address on a public network"
    assert server.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254"])
async def test_nor_is_an_address(servers: Any, host: str) -> None:
    server = await servers(OK)
    outcome = await post(HttpReceivers("roost/1"), f"http://{host}:{server.port}/")
    assert "has no address on a public network" in outcome.detail
    assert server.asked == []


async def test_the_address_that_was_judged_is_the_one_that_is_used(
    servers: Any, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere at the second look has no second look."""
    server = await servers(OK)
    names.addresses = ("10.9.8.7", "127.0.0.1")
    monkeypatch.setattr(receivers, "is_public", lambda address: address == "127.0.0.1")
    outcome = await post(HttpReceivers("roost/1"), f"http://receiver.example:{server.port}/")
    assert (outcome.status, names.asked) == (200, 1)


async def test_redirects_are_not_followed(servers: Any, names: Names) -> None:
    inside = await servers(OK)
    at = f"http://127.0.0.1:{inside.port}/admin"
    away = f"HTTP/1.1 307 Away\r\nLocation: {at}\r\nContent-Length: 0\r\n\r\n".encode()
    server = await servers(away)
    outcome = await post(anywhere(), f"http://receiver.example:{server.port}/")
    assert (outcome.status, outcome.detail) == (307, "redirects are not followed")
    assert code_of(outcome) == "delivery_redirected"
    assert inside.asked == []


async def test_a_refusal_says_why_up_to_a_bound(servers: Any, names: Names) -> None:
    server = await servers(b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + b"why \x00" * 9_000)
    outcome = await post(anywhere(), f"http://receiver.example:{server.port}/")
    assert outcome.status == 500
    assert outcome.detail.startswith("why \ufffdwhy")
    assert len(outcome.detail) <= receivers.DETAIL_BYTES
    assert outcome.why is None  # the receiver's own words


async def test_a_receiver_that_never_answers_is_left(
    servers: Any, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "ANSWER_WITHIN_S", 0.05)
    server = await servers(b"")
    outcome = await post(anywhere(), f"http://receiver.example:{server.port}/")
    assert (outcome.status, outcome.detail) == (None, "no answer within 0.05 s")
    assert code_of(outcome) == "delivery_unanswered"


async def test_rubbish_and_nobody_are_outcomes_too(servers: Any, names: Names) -> None:
    server = await servers(b"SSH-2.0-OpenSSH_9\r\n")
    rubbish = await post(anywhere(), f"http://receiver.example:{server.port}/")
    nobody = await post(anywhere(), "http://receiver.example:1/")
    ftp = await post(anywhere(), "ftp://receiver.example/")
    names.addresses = ()
    nowhere = await post(anywhere(), "http://receiver.example/")
    assert [each.status for each in (rubbish, nobody, ftp, nowhere)] == [None] * 4
    assert [code_of(each) for each in (rubbish, nobody, ftp, nowhere)] == [
        *("delivery_answer_invalid", "delivery_unconnected", "url_scheme", "delivery_not_public")
    ]


async def test_of_several_addresses_the_first_that_takes_a_connection(
    servers: Any, names: Names
) -> None:
    server = await servers(OK)
    names.addresses = ("127.0.0.99", "127.0.0.1")
    outcome = await post(anywhere(), f"http://receiver.example:{server.port}/")
    assert outcome.status == 200


async def test_tls_is_for_the_name_though_the_connection_is_to_an_address(
    servers: Any, names: Names
) -> None:
    authority, believed = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(believed)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("receiver.example").configure_cert(context)
    server = await servers(OK, context)
    receiver = anywhere(context=believed)
    outcome = await post(receiver, f"https://receiver.example:{server.port}/")
    assert outcome.status == 200, outcome
    other = await post(receiver, f"https://other.example:{server.port}/")
    assert other.status is None
    assert "CERTIFICATE_VERIFY_FAILED" in other.detail
    stranger = await post(anywhere(), f"https://receiver.example:{server.port}/")
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.detail
    assert code_of(stranger) == "delivery_untrusted"
