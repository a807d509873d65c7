"""API keys and links for a new password, as a black box."""

from typing import Any

import jwt
import msgspec
import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import PlainHasher
from actors.ports.people import AccountChange
from protocol.errors import Unauthorized, Unavailable
from protocol.people.access import is_key
from protocol.people.people import Session
from protocol.people.user import User
from protocol.times import SECOND_US, format_us
from tests.simulation.asgi import open_socket
from tests.unit.site import ACCOUNT, Site
from tests.unit.web.people.test_sessions import closed_with
from web.app import create_app
from web.http.auth import Tokens
from web.http.context import WebSettings
from web.people.reset_links import new_link
from web.people.sign_in_limits import ADDRESS_TRIES

ID = "7c9f2ae6-5c59-5098-bee7-3bbacd66b744"


async def new_key(site: Site, **more: Any) -> Any:
    status, made = await site.post("/api-keys", {"name": "script", **more})
    assert status == 201, made
    return made


async def test_a_key_goes_where_a_token_goes_and_is_shown_once(site: Site) -> None:
    made = await new_key(site, scope="write")
    assert is_key(made["key"])
    assert made["key"].startswith(made["prefix"])
    signed_in = site.headers
    for headers in ({"x-auth-token": made["key"]}, {"Authorization": f"Bearer {made['key']}"}):
        site.headers = headers
        assert (await site.call("GET", "/users/me"))[0] == 200
        device = await site.post("/devices", {"device_code": f"d{len(headers)}", "name": "d"})
        assert device[0] in (201, 409)
    site.headers = signed_in
    (listed,) = (await site.call("GET", "/api-keys"))[1]["items"]
    assert "key" not in listed
    assert listed["last_used_at"] is not None


async def test_a_key_may_do_what_its_scope_says(site: Site) -> None:
    read, write = await new_key(site), await new_key(site, scope="write")
    site.headers = {"x-auth-token": read["key"]}
    assert (await site.call("GET", "/devices"))[0] == 200
    assert (await site.post("/devices", {"device_code": "d1", "name": "d"}))[0] == 403
    for key in (read, write):
        site.headers = {"x-auth-token": key["key"]}
        for method, path in (
            ("POST", "/api-keys"),
            ("GET", "/api-keys"),
            ("GET", "/sessions"),
            ("POST", "/logout"),
            ("POST", "/login/ws-ticket"),
            ("PATCH", "/users/me"),
            ("GET", "/audit-log"),
        ):
            assert (await site.call(method, path, json={"name": "x"}))[0] == 403, path


async def test_a_key_ends_when_it_is_deleted_or_over(site: Site) -> None:
    now_us = site.clock.now_us()
    short = await new_key(site, expires_at=format_us(now_us + 10_000_000))
    made = await new_key(site)
    over = await site.post("/api-keys", {"name": "x", "expires_at": format_us(now_us)})
    assert over[0] == 422
    async with open_socket(site.app, "/ws/devices", {"x-auth-token": short["key"]}) as socket:
        assert (await socket.receive())["type"] == "device_list"
    codes = []
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            codes.append(await closed_with(site, "/ws/devices", {"x-auth-token": made["key"]}))

        nursery.start_soon(watch)
        await trio.testing.wait_all_tasks_blocked()
        assert (await site.call("DELETE", f"/api-keys/{made['id']}"))[0] == 204
    assert codes == [4401]
    assert (await site.call("DELETE", f"/api-keys/{made['id']}"))[0] == 404
    site.clock.advance(10)
    for key in (short, made):
        site.headers = {"x-auth-token": key["key"]}
        assert (await site.call("GET", "/devices"))[0] == 401
        assert await closed_with(site, "/ws/devices", site.headers) == 4401


@pytest.mark.parametrize("token", ["roost_", "roost_abcdefgh_x", "roost_abcdefgh_" + "x" * 27])
async def test_rubbish_is_no_key(site: Site, token: str) -> None:
    site.headers = {"x-auth-token": token}
    assert (await site.call("GET", "/devices"))[0] == 401


async def test_keys_of_others_are_not_there(site: Site) -> None:
    made = await new_key(site)
    await site.post("/users", {**ACCOUNT, "email": "bob@example.org"})
    _, token = await site.post("/login/access-token", {**ACCOUNT, "email": "bob@example.org"})
    site.headers = {"x-auth-token": token["access_token"]}
    assert (await site.call("GET", "/api-keys"))[1]["items"] == []
    assert (await site.call("DELETE", f"/api-keys/{made['id']}"))[0] == 404


async def link_of(site: Site) -> str:
    user = await site.service.store.user_by_email(ACCOUNT["email"])
    assert user is not None
    service = site.service
    link = await new_link(service.store, service.ids, user, "http://x", service.clock.now_us())
    return link.partition("#")[2]


async def test_a_link_sets_a_new_password_once(site: Site) -> None:
    token = await link_of(site)
    body = {"token": token, "password": "battery-staple"}
    assert (await site.post("/password-reset", {**body, "password": "short"}))[0] == 422
    assert (await site.post("/password-reset", body))[0] == 204
    assert (await site.post("/password-reset", body))[0] == 401
    assert (await site.call("GET", "/users/me"))[0] == 401  # every session ended
    assert (await site.post("/login/access-token", ACCOUNT))[0] == 401
    new = {**ACCOUNT, "password": "battery-staple"}
    assert (await site.post("/login/access-token", new))[0] == 200
    late = await link_of(site)
    site.clock.advance(3601)
    assert (await site.post("/password-reset", {**body, "token": late}))[0] == 401


async def lasting(site: Site) -> tuple[dict[str, str], str]:
    """What outlives a session: an API key (its header), and a reset link."""
    key = await new_key(site)
    await site.post("/mqtt-listener", {})
    return {"x-auth-token": key["key"]}, await link_of(site)


async def verify(site: Site) -> None:
    """The account has verified its address."""
    user = await site.service.store.user_by_email(ACCOUNT["email"])
    assert user is not None
    known = msgspec.structs.replace(user, email_verified_us=1)
    await site.service.store.update_user(AccountChange(user=known))


async def has_listener(site: Site) -> bool:
    user = await site.service.store.user_by_email(ACCOUNT["email"])
    assert user is not None
    return await site.service.store.listener(user.id) is not None


@pytest.mark.parametrize("revoke", [None, True, False])
async def test_a_reset_revokes_keys_and_the_mqtt_login_unless_told_not_to(
    site: Site, revoke: bool | None
) -> None:
    key, token = await lasting(site)
    body: dict[str, Any] = {"token": token, "password": "battery-staple"}
    if revoke is not None:
        body["revoke"] = revoke
    assert (await site.post("/password-reset", body))[0] == 204
    stays = revoke is False
    site.headers = key
    assert (await site.call("GET", "/devices"))[0] == (200 if stays else 401)
    assert await has_listener(site) == stays


@pytest.mark.parametrize("revoke", [True, False])
@pytest.mark.parametrize("change", [{"password": "battery-staple"}, {"email": "ada@new.example"}])
async def test_a_change_of_password_or_address_ends_links_and_sessions(
    site: Site, change: dict[str, str], revoke: bool
) -> None:
    letters = site.service.mailer = Letters()
    await verify(site)
    key, token = await lasting(site)
    old = dict(site.headers)
    body = {**change, "current_password": ACCOUNT["password"], "revoke": revoke}
    assert (await site.call("PATCH", "/users/me", json=body))[0] == 200
    site.headers = old
    assert (await site.call("GET", "/users/me"))[0] == 401
    assert (await site.post("/password-reset", {"token": token, "password": "x" * 9}))[0] == 401
    site.headers = key
    assert (await site.call("GET", "/devices"))[0] == (401 if revoke else 200)
    await trio.testing.wait_all_tasks_blocked()
    ((to, text),) = letters.sent
    assert to == ACCOUNT["email"]  # the address before
    assert ("1 API key and the MQTT login " + ("" if revoke else "not ") + "revoked") in text
    account = {"email": change.get("email", ACCOUNT["email"])}
    account["password"] = change.get("password", ACCOUNT["password"])
    _, signed_in = await site.post("/login/access-token", account)
    site.headers = {"x-auth-token": signed_in["access_token"]}
    _, log = await site.call("GET", "/audit-log")
    action = "password_changed" if "password" in change else "email_changed"
    (entry,) = [each for each in log["items"] if each["action"] == action]
    assert "API keys (1) and the MQTT login" in entry["subject"]


async def test_password_and_address_at_once_are_told_once_and_truly(site: Site) -> None:
    """Two mails came, and the second said that there are no API keys."""
    letters = site.service.mailer = Letters()
    await verify(site)
    await lasting(site)
    new = {"password": "battery-staple", "email": "ada@new.example"}
    body = {**new, "current_password": ACCOUNT["password"], "revoke": True}
    assert (await site.call("PATCH", "/users/me", json=body))[0] == 200
    await trio.testing.wait_all_tasks_blocked()
    ((to, text),) = letters.sent
    assert to == ACCOUNT["email"]
    assert "password and the email address" in text
    assert "to ada@new.example" not in text
    assert "The new address is ada@new.example." in text
    assert "1 API key and the MQTT login revoked." in text
    _, signed_in = await site.post("/login/access-token", new)
    site.headers = {"x-auth-token": signed_in["access_token"]}
    _, log = await site.call("GET", "/audit-log")
    said = {each["action"]: each["subject"] for each in log["items"]}
    assert said["password_changed"] == "API keys (1) and the MQTT login revoked"
    assert said["email_changed"].endswith("; API keys (1) and the MQTT login revoked")


async def test_revoking_goes_with_a_change(site: Site) -> None:
    key, _ = await lasting(site)
    body = {"full_name": "Ada L.", "revoke": True}
    status, problem = await site.call("PATCH", "/users/me", json=body)
    assert status == 422
    assert list(problem["errors"]) == ["revoke"]
    site.headers = key
    assert (await site.call("GET", "/devices"))[0] == 200


async def test_a_reset_that_the_database_did_not_answer_can_be_sent_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link was gone, and the password as before."""
    token = await link_of(site)
    body = {"token": token, "password": "battery-staple"}
    with monkeypatch.context() as patch:

        async def away(*args: object, **more: object) -> None:
            raise Unavailable("the database does not answer")

        patch.setattr(site.service.store, "update_user", away)
        assert (await site.post("/password-reset", body))[0] == 503
    assert (await site.post("/password-reset", body))[0] == 204


async def test_of_two_resets_with_one_link_one_counts(site: Site) -> None:
    token = await link_of(site)
    answers: list[int] = []

    async def reset(password: str) -> None:
        answers.append(
            (await site.post("/password-reset", {"token": token, "password": password}))[0]
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset, "battery-staple")
        nursery.start_soon(reset, "staple-battery")
    assert sorted(answers) == [204, 401]


async def test_the_same_address_again_signs_nobody_out(site: Site) -> None:
    body = {"email": ACCOUNT["email"], "current_password": ACCOUNT["password"]}
    assert (await site.call("PATCH", "/users/me", json=body))[0] == 200
    assert (await site.call("GET", "/users/me"))[0] == 200


class Letters:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def send(self, to: str, subject: str, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append((to, text))


async def test_a_mail_brings_the_link_and_tells_nobody_who_has_an_account(site: Site) -> None:
    asked = {"email": ACCOUNT["email"]}
    assert (await site.post("/password-reset/request", asked))[0] == 403  # no mail here
    letters = site.service.mailer = Letters()
    for email in (ACCOUNT["email"], "nobody@example.org"):  # nor an address of ours
        assert (await site.post("/password-reset/request", {"email": email}))[0] == 403
    assert letters.sent == []


async def test_the_link_in_a_mail_works(site: Site) -> None:
    letters = site.service.mailer = Letters()
    settings = WebSettings(jwt_secret="s" * 32, public_url="https://roost.example")
    site.app = create_app(site.service, PlainHasher(), settings)
    assert (await site.post("/password-reset/request", {"email": "ADA@example.org"}))[0] == 202
    await trio.testing.wait_all_tasks_blocked()
    ((to, text),) = letters.sent
    for email in ("nobody@example.org", "x\0y", ""):
        answer = await site.post("/password-reset/request", {"email": email})
        assert answer == (202, None)
    assert len(letters.sent) == 1
    assert to == ACCOUNT["email"]
    token = text.partition("https://roost.example/reset#")[2].split()[0]
    assert (await site.post("/password-reset", {"token": token, "password": "x" * 9}))[0] == 204


async def test_whoever_guesses_at_links_is_stopped(site: Site) -> None:
    body = {"token": "guess", "password": "battery-staple"}
    statuses = {(await site.post("/password-reset", body))[0] for _ in range(ADDRESS_TRIES)}
    assert statuses == {401}
    assert (await site.post("/password-reset", body))[0] == 429


def test_a_good_token_is_verified_once_and_a_bad_one_is_refused_each_time() -> None:
    tokens = Tokens("s" * 32)
    user = User(id=ID, email=None, full_name=None, password_hash=None, created_us=0)
    session = Session(id=ID, user_id=ID, created_us=0, expires_us=SECOND_US)
    token = tokens.issue(user, session)
    with pytest.MonkeyPatch.context() as patch:
        decode, decoded = jwt.decode, []

        def counted(*args: Any, **options: Any) -> Any:
            decoded.append(args)
            return decode(*args, **options)

        patch.setattr(jwt, "decode", counted)
        assert tokens.read(token) == tokens.read(token)
        assert len(decoded) == 1
        for _ in range(2):
            with pytest.raises(Unauthorized):
                tokens.read(token + "x")
