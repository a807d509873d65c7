"""Who is answered first of those who log in at once, and what they are answered."""

import base64
import json
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.nats import login_queue
from actors.adapters.nats.keys import new_seed
from actors.adapters.nats.login_answers import Signer, of_listener, understood
from actors.adapters.nats.login_queue import FAILURES_MAX, LoginQueue
from protocol.errors import BadPayload
from tests.unit.makers import NOW, USER

DEVICE_NAME = "device-74ec0fe8-400f-4f4e-bbdc-73fe87d91660"


async def test_the_newest_are_first_and_the_oldest_go_when_too_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 1,100 abandoned logins a second each was answered in its turn, and no device came in."""
    monkeypatch.setattr(login_queue, "WAITING_MAX", 5)
    queue = LoginQueue()
    for n in range(8):
        queue.put(n, "10.0.0.1")
    assert queue.dropped == 3
    assert await queue.take(2) == [7, 6]
    assert await queue.take(10) == [5, 4, 3]


async def test_an_address_from_which_much_fails_comes_last_and_comes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    queue = LoginQueue()
    for _ in range(FAILURES_MAX):
        queue.failed("10.0.0.66")
    queue.put("theirs", "10.0.0.66")
    queue.put("ours", "10.0.0.1")
    queue.put("theirs too", "10.0.0.66")
    assert await queue.take(10) == ["ours", "theirs too", "theirs"]
    await trio.sleep(2)  # forgiven by and by
    queue.put("before", "10.0.0.1")
    queue.put("theirs again", "10.0.0.66")
    assert await queue.take(1) == ["theirs again"]


async def test_all_addresses_of_a_network_fail_together() -> None:
    """Who has a /64 of IPv6 had 2**64 addresses to guess from, fifty times each."""
    queue = LoginQueue()
    for n in range(FAILURES_MAX):
        queue.failed(f"2001:db8::{n:x}")
    queue.put("theirs", "2001:db8::ffff")
    queue.put("ours", "2001:db8:0:1::1")
    queue.put("of IPv4", "::ffff:10.0.0.1")
    queue.put("theirs too", "2001:db8::1:0:0:1")
    assert await queue.take(10) == ["of IPv4", "ours", "theirs too", "theirs"]


async def test_who_takes_waits_for_the_first(autojump_clock: trio.testing.MockClock) -> None:
    queue = LoginQueue()
    async with trio.open_nursery() as nursery:

        async def come() -> None:
            await trio.sleep(5)
            queue.put("one", "")

        nursery.start_soon(come)
        assert await queue.take(10) == ["one"]
    assert trio.current_time() == 5


def asked(client_id: str = DEVICE_NAME, **options: Any) -> bytes:
    """A request as nats-server makes it."""
    ask = {
        "connect_opts": {"user": DEVICE_NAME, "pass": "pw", **options},
        "client_info": {"host": "10.0.0.7", "mqtt_id": client_id},
        "user_nkey": "UABC",
        "server_id": {"id": "NABC"},
    }
    body = base64.urlsafe_b64encode(json.dumps({"nats": ask}).encode()).rstrip(b"=")
    return b"head." + body + b".signature"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (DEVICE_NAME, True),
        (DEVICE_NAME.replace("device", "listener"), True),
        (DEVICE_NAME.upper(), False),
        (DEVICE_NAME + "\n", False),
        ("roost", False),
        ("", False),
        ("x" * 65_000, False),
    ],
)
def test_names_of_no_known_form_are_not_looked_up(name: str, known: bool) -> None:
    assert understood(asked(user=name)).may_be_known is known


@pytest.mark.parametrize(
    "rubbish", [b"", b"a", b"a.b.c", b"a.!!.c", asked()[:40], b"a.bnVsbA.c", b"a.W10.c"]
)
def test_rubbish_is_no_request(rubbish: bytes) -> None:
    with pytest.raises((BadPayload, LookupError, ValueError, TypeError, AttributeError)):
        understood(rubbish)


def test_an_answer_is_for_whom_it_was_asked() -> None:
    signer = Signer(new_seed(), "ROOST")
    ask = understood(asked())

    def claims(token: bytes) -> Any:
        body = token.split(b".")[1]
        return json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))

    yes = claims(signer.answer(ask, of_listener(USER), NOW))
    assert (yes["aud"], yes["sub"], yes["iat"]) == ("NABC", "UABC", NOW // 1_000_000)
    user = claims(yes["nats"]["jwt"].encode())
    assert (user["sub"], user["aud"], user["name"]) == ("UABC", "ROOST", DEVICE_NAME)
    assert user["nats"]["sub"]["allow"] == [f"live.{USER}", f"live.{USER}.>"]
    no = claims(signer.answer(ask, None, NOW))
    assert "jwt" not in no["nats"]
    assert no["nats"]["error"]
