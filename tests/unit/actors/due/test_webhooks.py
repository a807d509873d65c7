"""Webhooks over REST, and the way of a delivery to its receiver."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest
import trio

from actors.due.webhooks import EACH_MAX, OF_USER_MAX, SENDERS
from protocol.times import SECOND_US
from protocol.webhook import deliveries as webhooks
from protocol.webhook.deliveries import (
    AGAIN_MAX_S,
    GIVE_UP_S,
    PAUSE_MAX_S,
    WEBHOOKS_MAX,
    Outcome,
)
from protocol.webhook.signing import new_secret, signature
from tests.contract.test_store_webhooks import some_webhook
from tests.simulation.running import run_virtually
from tests.unit.makers import NOW, SECOND
from tests.unit.site import ACCOUNT, Site, open_site

virtual = pytest.mark.trio(run=run_virtually)
URL = "https://receiver.example/in"


class Receiver:
    """Whoever listens, and how it answers."""

    def __init__(self) -> None:
        self.status = 204
        self.hangs = False
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []
        self._came = trio.Event()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.got.append((url, headers, body))
        came, self._came = self._came, trio.Event()
        came.set()
        if self.hangs:
            await trio.sleep_forever()
        return self.status

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            await self._came.wait()


async def registered(site: Site, url: str = URL, **wish: Any) -> Any:
    status, made = await site.post("/webhooks", {"url": url, **wish})
    assert status == 201, made
    return made


async def deliveries(site: Site, made: Any, query: str = "") -> list[Any]:
    status, page = await site.call("GET", f"/webhooks/{made['id']}/deliveries{query}")
    assert status == 200
    items: list[Any] = page["items"]
    return items


async def ended(site: Site, made: Any, state: str) -> Any:
    """The newest delivery, once it is in that state."""
    while True:
        found = await deliveries(site, made)
        if found and found[0]["state"] == state:
            return found[0]
        await trio.lowlevel.checkpoint()


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example of the Standard Webhooks specification's libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_its_bits() -> None:
    assert base64.b64decode(new_secret(b"x" * 32).removeprefix("whsec_")) == b"x" * 32


async def test_a_webhook_is_registered_shown_changed_and_deleted() -> None:
    async with open_site() as site:
        made = await registered(site, events=["alarm.raised", "alarm.raised"], description="p")
        assert made.pop("secret").startswith("whsec_")
        wanted = {"url": URL, "events": ["alarm.raised"], "state": "active", "failures": 0}
        assert {key: made[key] for key in wanted} == wanted
        assert await site.call("GET", f"/webhooks/{made['id']}") == (200, made)
        assert (await site.call("GET", "/webhooks"))[1]["items"] == [made]
        change = {"enabled": False, "events": ["command.failed"], "description": ""}
        status, changed = await site.call("PATCH", f"/webhooks/{made['id']}", json=change)
        assert (status, changed["state"]) == (200, "disabled")
        assert changed["events"] == ["command.failed"]
        first = await site.call("POST", f"/webhooks/{made['id']}/secret")
        second = await site.call("POST", f"/webhooks/{made['id']}/secret")
        assert first[0] == 200
        assert first != second
        assert (await site.call("DELETE", f"/webhooks/{made['id']}"))[0] == 204
        assert (await site.call("GET", f"/webhooks/{made['id']}"))[0] == 404


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://receiver.example"}, "url"),
        ({"url": "https://user:pw@receiver.example"}, "url"),
        ({"url": "http://127.0.0.1:8000/"}, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["alarm.exploded"]}, "events[0]"),
        ({"url": URL, "secret": "mine"}, "secret"),
    ],
)
async def test_what_cannot_be_is_refused_by_field(wish: Any, field: str) -> None:
    async with open_site() as site:
        status, problem = await site.post("/webhooks", wish)
        assert status == 422
        assert field in problem["errors"]


async def test_there_is_a_bound_and_nobody_sees_anothers() -> None:
    async with open_site() as site:
        mine = [await registered(site) for _ in range(webhooks.WEBHOOKS_MAX)]
        assert (await site.post("/webhooks", {"url": URL}))[0] == 409
        bob = {"email": "bob@example.org", "password": "correct-horse"}
        await site.post("/users", bob)
        _, token = await site.post("/login/access-token", bob)
        site.headers = {"x-auth-token": token["access_token"]}
        path = f"/webhooks/{mine[0]['id']}"
        assert (await site.call("GET", "/webhooks"))[1]["items"] == []
        for method, tail in [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/secret"),
            ("POST", "/test"),
            ("GET", "/deliveries"),
            ("POST", f"/deliveries/{mine[1]['id']}/retry"),
        ]:
            body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
            assert (await site.call(method, path + tail, **body))[0] == 404


async def test_a_test_event_arrives_signed() -> None:
    receiver = Receiver()
    async with open_site(receiver) as site:
        made = await registered(site)
        status, shown = await site.call("POST", f"/webhooks/{made['id']}/test")
        assert (status, shown["state"], shown["type"]) == (202, "pending", "webhook.test")
        await receiver.until(1)
        (url, headers, body) = receiver.got[0]
        at_s = site.clock.now_us() // SECOND_US
        assert (url, headers["webhook-timestamp"]) == (URL, str(at_s))
        key = base64.b64decode(made["secret"].removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{at_s}.".encode() + body
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{right}"
        assert json.loads(body) == shown["payload"]
        done = await ended(site, made, "delivered")
        assert (done["attempts"], done["last_status"]) == (1, 204)


async def test_a_cancelled_command_is_told_of() -> None:
    receiver = Receiver()
    async with open_site(receiver) as site:
        await registered(site)
        device = await site.device()
        _, command = await site.post(f"/devices/{device['id']}/commands", {"type": "beep"})
        await site.call("DELETE", f"/commands/{command['id']}")
        await receiver.until(1)
        event = json.loads(receiver.got[0][2])
        assert (event["type"], event["data"]["id"]) == ("command.cancelled", command["id"])


async def test_a_receiver_that_refuses_is_tried_again_and_shown_as_failing() -> None:
    receiver = Receiver()
    receiver.status = 500
    async with open_site(receiver) as site:
        made = await registered(site)
        await site.call("POST", f"/webhooks/{made['id']}/test")
        await receiver.until(1)
        while (await site.call("GET", f"/webhooks/{made['id']}"))[1]["state"] != "failing":
            await trio.lowlevel.checkpoint()
        (waits,) = await deliveries(site, made, "?state=pending")
        assert (waits["last_status"], waits["attempts"]) == (500, 1)
        receiver.status = 200
        site.clock.advance(31)
        assert (await ended(site, made, "delivered"))["attempts"] == 2
        assert (await site.call("GET", f"/webhooks/{made['id']}"))[1]["state"] == "active"
        assert receiver.got[0][1]["webhook-id"] == receiver.got[1][1]["webhook-id"]
        assert receiver.got[0][1]["webhook-signature"] != receiver.got[1][1]["webhook-signature"]


async def test_what_is_gone_is_dead_at_once_until_its_user_asks() -> None:
    receiver = Receiver()
    receiver.status = 410
    async with open_site(receiver) as site:
        made = await registered(site)
        await site.call("POST", f"/webhooks/{made['id']}/test")
        dead = await ended(site, made, "dead")
        assert await deliveries(site, made, "?state=dead,pending") == [dead]
        assert (await site.call("GET", f"/webhooks/{made['id']}/deliveries?state=lost"))[0] == 422
        receiver.status = 200
        path = f"/webhooks/{made['id']}/deliveries/{dead['id']}/retry"
        status, again = await site.call("POST", path)
        assert (status, again["state"]) == (202, "pending")
        site.clock.advance(2)
        await ended(site, made, "delivered")


@virtual
async def test_receivers_that_hang_hold_up_nobody_else() -> None:
    receiver = Receiver()
    receiver.hangs = True
    async with open_site(receiver) as site:
        slow = await registered(site, "https://slow.example/")
        for _ in range(SENDERS):
            await site.call("POST", f"/webhooks/{slow['id']}/test")
        await receiver.until(1)
        receiver.hangs = False
        quick = await registered(site)
        await site.call("POST", f"/webhooks/{quick['id']}/test")
        before_s = trio.current_time()
        while (await deliveries(site, quick))[0]["state"] != "delivered":
            await trio.sleep(0.01)  # virtual time passes only when nobody is busy
        assert trio.current_time() - before_s < webhooks.ANSWER_WITHIN_S


@virtual
async def test_slow_receivers_of_one_user_delay_no_other_user() -> None:
    """Twenty webhooks with four deliveries each took all the senders for ten seconds at a time."""
    receiver = Receiver()
    receiver.hangs = True
    async with open_site(receiver) as site:
        for n in range(WEBHOOKS_MAX):
            slow = await registered(site, f"https://slow.example/{n}")
            for _ in range(EACH_MAX):
                await site.call("POST", f"/webhooks/{slow['id']}/test")
        await receiver.until(OF_USER_MAX)
        await site.post("/users", {**ACCOUNT, "email": "bob@example.org"})
        _, token = await site.post("/login/access-token", {**ACCOUNT, "email": "bob@example.org"})
        site.headers = {"x-auth-token": token["access_token"]}
        receiver.hangs = False
        quick = await registered(site)
        before_s = trio.current_time()
        await site.call("POST", f"/webhooks/{quick['id']}/test")
        while (await deliveries(site, quick))[0]["state"] != "delivered":
            await trio.sleep(0.01)
        assert trio.current_time() - before_s < 0.1
        assert len(receiver.got) == OF_USER_MAX + 1


def test_tries_come_ever_more_rarely_and_end() -> None:
    news = webhooks.trial_news(some_webhook(), "e", NOW)
    delivery = webhooks.WebhookDelivery(
        id="d",
        webhook_num=1,
        event_id=news.event_id,
        type=news.type,
        body=news.body,
        created_us=NOW,
        next_try_us=0,
    )
    failures, pauses, now_us = 0, [], NOW
    bad = Outcome(status=503, detail="x" * 1_000)
    while delivery.state == "pending":
        delivery = webhooks.tried(webhooks.claimed(delivery, now_us), bad, now_us)
        failures, paused_us = webhooks.after_try(failures, bad, now_us)
        assert paused_us is not None
        assert paused_us - now_us <= PAUSE_MAX_S * SECOND
        pauses.append((delivery.next_try_us - now_us) // SECOND)
        now_us = delivery.next_try_us
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses[-1] == AGAIN_MAX_S
    assert len(pauses) == 22
    assert (delivery.state, len(delivery.detail)) == ("dead", webhooks.DETAIL_MAX)
    assert delivery.finished_us is not None
    assert delivery.finished_us - NOW >= GIVE_UP_S * SECOND
    assert failures == len(pauses)
    assert webhooks.after_try(failures, Outcome(status=200), NOW) == (0, None)
