"""Verifying an email address: what a link confirms, for whom, and what happens without it."""

from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import PlainHasher
from protocol.errors import Unavailable
from protocol.people.access import VERIFY_S
from tests.conftest import Logs
from tests.unit.site import ACCOUNT, Site
from tests.unit.web.people.test_access import Letters, link_of, new_key
from web.app import create_app
from web.http.context import WebSettings
from web.people.sign_in_limits import MAIL_EVERY_S, MAILS

URL = "https://roost.example"
BOB = {"email": "bob@example.org", "password": "correct-horse"}
NEW = "ada@new.example"


@pytest.fixture
def letters(site: Site) -> Letters:
    """Mail is set up from now on; ada was here before."""
    site.service.mailer = found = Letters()
    settings = WebSettings(jwt_secret="s" * 32, public_url=URL)
    site.app = create_app(site.service, PlainHasher(), settings)
    return found


async def mails(letters: Letters) -> list[tuple[str, str]]:
    """What was sent since the last look: to whom, and the token of its link."""
    await trio.testing.wait_all_tasks_blocked()
    found, letters.sent = letters.sent, []
    return [(to, text.partition("#")[2].split()[0] if "#" in text else "") for to, text in found]


async def link(letters: Letters, to: str = ACCOUNT["email"]) -> str:
    """The token of the one mail."""
    ((whom, path),) = await mails(letters)
    assert (whom, path.startswith("/verify/")) == (to, True)
    return path.removeprefix("/verify/")


async def asked_again(site: Site) -> int:
    return (await site.post("/email-verification/request", None))[0]


async def opened(site: Site, token: str) -> tuple[int, Any]:
    return await site.post("/email-verification", {"token": token})


async def me(site: Site) -> Any:
    return (await site.call("GET", "/users/me"))[1]


async def sign_in(site: Site, account: dict[str, str]) -> None:
    _, token = await site.post("/login/access-token", account)
    site.headers = {"x-auth-token": token["access_token"]}


async def change_address(site: Site, email: str = NEW) -> tuple[int, Any]:
    body = {"email": email, "current_password": ACCOUNT["password"]}
    return await site.call("PATCH", "/users/me", json=body)


async def actions(site: Site) -> list[str]:
    _, log = await site.call("GET", "/audit-log")
    return [f"{each['action']} {each['subject']}".strip() for each in log["items"]]


async def test_a_new_account_gets_a_link_that_verifies_its_address_once(
    site: Site, letters: Letters
) -> None:
    _, made = await site.post("/users", BOB)
    assert (made["email_verified"], made["email_pending"]) == (False, None)
    token = await link(letters, BOB["email"])
    await sign_in(site, BOB)
    bob = dict(site.headers)
    status, answer = await opened(site, token)
    assert (status, answer["email_verified"], answer["email"]) == (200, True, BOB["email"])
    site.headers = bob  # nobody was signed out
    assert (await me(site))["email_verified"] is True
    status, problem = await opened(site, token)
    assert (status, problem["error_codes"]["token"]["code"]) == (422, "verification_link_used")
    assert await asked_again(site) == 409
    assert (await actions(site))[0] == f"email_verified {BOB['email']}"


async def test_an_account_that_was_made_is_told_so_though_its_link_was_not_stored(
    site: Site, letters: Letters, monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    """The next try would be told that the account exists."""
    logs.claim("verification link not sent")

    async def away(*args: object) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(site.service.store, "add_email_verification", away)
        assert (await site.post("/users", BOB))[0] == 201
        assert (await change_address(site))[0] == 200
    assert await mails(letters) == []
    await sign_in(site, BOB)
    assert await asked_again(site) == 202
    assert (await opened(site, await link(letters, BOB["email"])))[0] == 200


async def test_where_no_mail_is_set_up_nothing_changes(site: Site) -> None:
    assert (await me(site))["email_verified"] is False
    assert await asked_again(site) == 403
    status, changed = await change_address(site)
    assert (status, changed["email"], changed["email_pending"]) == (200, NEW, None)


async def test_a_link_counts_for_a_day_and_the_newest_only(site: Site, letters: Letters) -> None:
    assert await asked_again(site) == 202
    first = await link(letters)
    assert await asked_again(site) == 202
    second = await link(letters)
    assert (await opened(site, first))[0] == 422
    site.clock.advance(VERIFY_S + 1)
    assert (await opened(site, second))[0] == 422
    assert await asked_again(site) == 202
    assert (await opened(site, await link(letters)))[0] == 200


async def test_a_link_is_for_its_account_and_not_for_whoever_opens_it(
    site: Site, letters: Letters
) -> None:
    """Somebody signed up with ada's address; she opens the link that she did not ask for."""
    await asked_again(site)
    token = await link(letters)
    ada = dict(site.headers)
    site.headers = {}
    assert (await opened(site, token))[0] == 401
    await site.post("/users", BOB)
    await sign_in(site, BOB)
    assert (await opened(site, token))[0] == 422
    site.headers = {"x-auth-token": (await new_key(site))["key"]}
    assert (await opened(site, token))[0] == 403  # no program confirms
    site.headers = ada
    assert (await me(site))["email_verified"] is False
    assert (await opened(site, token))[0] == 200


async def test_only_the_digest_of_a_link_is_stored(site: Site, letters: Letters) -> None:
    await asked_again(site)
    token = await link(letters)
    assert token not in repr(vars(site.service.store))


async def test_a_new_address_counts_once_its_link_was_opened(site: Site, letters: Letters) -> None:
    await asked_again(site)
    assert (await opened(site, await link(letters)))[0] == 200
    status, changed = await change_address(site)
    assert (status, changed["email"], changed["email_pending"]) == (200, ACCOUNT["email"], NEW)
    assert changed["email_verified"] is True
    token = await link(letters, NEW)
    old = dict(site.headers)
    await sign_in(site, ACCOUNT)  # the former address stays until then
    status, answer = await opened(site, token)
    assert (status, answer["email"], answer["email_pending"]) == (200, NEW, None)
    assert [to for to, _ in await mails(letters)] == [ACCOUNT["email"]]  # it is told
    for headers in (old, site.headers):
        site.headers = headers
        assert (await site.call("GET", "/users/me"))[0] == 401  # every session ended
    assert (await site.post("/login/access-token", ACCOUNT))[0] == 401
    await sign_in(site, {**ACCOUNT, "email": NEW})
    assert (await me(site))["email_verified"] is True
    log = await actions(site)
    assert f"email_change_asked {ACCOUNT['email']} to {NEW}" in log
    assert f"email_verified {NEW}" in log
    assert any(each.startswith(f"email_changed {ACCOUNT['email']} to {NEW}") for each in log)


async def test_a_browser_that_opens_the_link_of_a_new_address_stays_signed_in(
    site: Site, letters: Letters
) -> None:
    await change_address(site)
    token = await link(letters, NEW)
    site.headers = {}
    client = site.app.test_client()
    await client.post("/api/v1/login/access-token", json=ACCOUNT)
    answer = await client.post("/api/v1/email-verification", json={"token": token})
    assert answer.status_code == 200
    shown = await client.get("/api/v1/users/me")
    assert (await shown.get_json())["email"] == NEW


async def test_a_change_of_address_can_be_given_up(site: Site, letters: Letters) -> None:
    await change_address(site)
    token = await link(letters, NEW)
    _, answer = await change_address(site, ACCOUNT["email"])
    assert answer["email_pending"] is None
    assert (await opened(site, token))[0] == 422
    assert await mails(letters) == []
    await change_address(site)
    token = await link(letters, NEW)
    for _ in range(2):
        assert (await site.call("DELETE", "/email-verification"))[0] == 204
    assert ((await me(site))["email"], (await me(site))["email_pending"]) == (
        ACCOUNT["email"],
        None,
    )
    assert (await opened(site, token))[0] == 422


async def test_a_link_for_an_address_that_another_account_has_by_now_changes_nothing(
    site: Site, letters: Letters
) -> None:
    await change_address(site)
    token = await link(letters, NEW)
    ada = dict(site.headers)
    assert (await site.post("/users", {**BOB, "email": NEW}))[0] == 201
    site.headers = ada
    status, problem = await opened(site, token)
    assert (status, problem["code"]) == (409, "account_exists")
    assert (await me(site))["email"] == ACCOUNT["email"]
    status, problem = await change_address(site, NEW.upper())
    assert (status, problem["code"]) == (409, "account_exists")


async def test_an_address_gets_so_many_mails(
    site: Site, letters: Letters, autojump_clock: Any
) -> None:
    assert [await asked_again(site) for _ in range(MAILS + 1)] == [202] * MAILS + [429]
    assert len(await mails(letters)) == MAILS
    await trio.sleep(MAIL_EVERY_S)
    assert [await asked_again(site) for _ in range(2)] == [202, 429]


async def test_an_address_that_was_never_verified_is_told_nothing(
    site: Site, letters: Letters
) -> None:
    """Somebody signed up with a stranger's address."""
    body = {"password": "battery-staple", "current_password": ACCOUNT["password"]}
    assert (await site.call("PATCH", "/users/me", json=body))[0] == 200
    assert await mails(letters) == []


async def test_whoever_reads_the_mail_of_an_unverified_address_takes_the_account_alone(
    site: Site, letters: Letters
) -> None:
    """Somebody signed up with her address, and left ways in: a key, a code, a new address."""
    key = {"x-auth-token": (await new_key(site))["key"]}
    await site.post("/mqtt-listener", {})
    _, hook = await site.post("/webhooks", {"url": "https://hijacker.example/"})
    await site.post("/users/me/second-factor", {"current_password": ACCOUNT["password"]})
    await change_address(site)
    pending = await link(letters, NEW)
    stranger = dict(site.headers)
    await site.post("/password-reset/request", {"email": ACCOUNT["email"]})
    ((_, token),) = await mails(letters)
    body = {"token": token, "password": "battery-staple", "revoke": False}
    assert (await site.post("/password-reset", body))[0] == 204
    for headers in (stranger, key):
        site.headers = headers
        assert (await site.call("GET", "/devices"))[0] == 401
    await sign_in(site, {**ACCOUNT, "password": "battery-staple"})
    mine = await me(site)
    assert (mine["email_verified"], mine["email_pending"]) == (True, None)
    assert (await opened(site, pending))[0] == 422
    assert (await site.call("GET", "/api-keys"))[1]["items"] == []
    assert (await site.call("GET", f"/webhooks/{hook['id']}"))[1]["enabled"] is False
    user = await site.service.store.user_by_email(ACCOUNT["email"])
    assert user is not None
    assert await site.service.store.second_factor(user.id) is None
    assert await site.service.store.listener(user.id) is None


async def test_a_verified_account_that_is_reset_keeps_what_its_owner_wants(
    site: Site, letters: Letters
) -> None:
    await asked_again(site)
    await opened(site, await link(letters))
    key = {"x-auth-token": (await new_key(site))["key"]}
    await site.post("/password-reset/request", {"email": ACCOUNT["email"]})
    ((_, token),) = await mails(letters)
    body = {"token": token, "password": "battery-staple", "revoke": False}
    assert (await site.post("/password-reset", body))[0] == 204
    site.headers = key
    assert (await site.call("GET", "/devices"))[0] == 200


async def test_an_operators_link_proves_no_address(site: Site, letters: Letters) -> None:
    token = await link_of(site)
    body = {"token": token, "password": "battery-staple"}
    assert (await site.post("/password-reset", {**body, "token": f"mail.{token}"}))[0] == 401
    assert (await site.post("/password-reset", body))[0] == 204
    await sign_in(site, {**ACCOUNT, "password": "battery-staple"})
    assert (await me(site))["email_verified"] is False
