"""A second factor as a black box: asked at sign-in, and again before what revokes or exports."""

import base64
from typing import Any

import pytest
import trio

from actors.ports.people import AccountChange
from protocol.people.access import kept_of
from protocol.people.people import Session
from protocol.people.totp import PERIOD_US, code_at
from protocol.people.user import User
from tests.unit.site import ACCOUNT, Site
from web.http.auth import Tokens
from web.http.operation import CODE_HEADER
from web.people.lifting import lift
from web.people.sign_in_limits import CODE_EVERY_S, CODE_TRIES

AT = "/users/me/second-factor"
PASSWORD = {"current_password": ACCOUNT["password"]}
STEP_S = PERIOD_US / 1_000_000


class Phone:
    """An authenticator app, whose clock is off by so many steps."""

    def __init__(self, site: Site, secret: str) -> None:
        self._site = site
        self._secret = base64.b32decode(secret)

    def code(self, off: int = 0) -> str:
        return code_at(self._secret, self._site.service.clock.now_us() // PERIOD_US + off)

    def next_code(self) -> str:
        """One that was not used yet."""
        self._site.clock.advance(STEP_S)
        return self.code()

    def wrong(self) -> str:
        near = {self.code(off) for off in range(-2, 3)}
        return next(code for n in range(9) if (code := f"{n:06}") not in near)


async def turned_on(site: Site) -> tuple[Phone, list[str]]:
    status, begun = await site.post(AT, PASSWORD)
    assert status == 201, begun
    phone = Phone(site, begun["secret"])
    status, made = await site.post(f"{AT}/confirm", {"code": phone.code()})
    assert status == 200, made
    return phone, made["recovery_codes"]


async def sign_in(site: Site, code: str | None = None, **changes: Any) -> tuple[int, Any]:
    sent = {**ACCOUNT, **changes} if code is None else {**ACCOUNT, "code": code, **changes}
    answer = await site.raw("POST", "/api/v1/login/access-token", json=sent)
    body = await answer.get_json()
    return answer.status_code, body["code"] if "code" in body else body["access_token"]


async def logged(site: Site) -> list[tuple[str, str]]:
    _, page = await site.call("GET", "/audit-log?limit=1000")
    return [(each["action"], each["subject"]) for each in page["items"]]


async def test_it_is_off_until_a_code_confirms_it(site: Site) -> None:
    assert await site.call("GET", AT) == (200, {"enabled": False, "recovery_codes_left": 0})
    status, wrong = await site.post(AT, {"current_password": "wrong-wrong"})
    assert (status, wrong["errors"]) == (422, {"current_password": "is incorrect"})
    answer = await site.raw("POST", f"/api/v1{AT}", json=PASSWORD)
    begun = await answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert begun["uri"].startswith("otpauth://totp/Roost:ada%40example.org?secret=")
    assert begun["qr"].startswith("data:image/svg+xml")
    assert "style" not in begun["qr"]
    assert (await sign_in(site))[0] == 200
    phone = Phone(site, begun["secret"])
    status, wrong = await site.post(f"{AT}/confirm", {"code": phone.wrong()})
    assert (status, wrong["code"]) == (403, "second_factor_wrong")
    assert (await site.call("GET", AT))[1]["enabled"] is False
    status, made = await site.post(f"{AT}/confirm", {"code": phone.code()})
    assert (status, len(set(made["recovery_codes"]))) == (200, 10)
    assert await site.call("GET", AT) == (200, {"enabled": True, "recovery_codes_left": 10})
    assert (await site.post(AT, PASSWORD))[1]["code"] == "second_factor_is_on"
    assert (await logged(site))[0] == ("second_factor_on", "")


async def test_all_other_sessions_end_when_it_is_turned_on(site: Site) -> None:
    _, other = await sign_in(site)
    await turned_on(site)
    assert (await site.call("GET", "/users/me"))[0] == 200
    assert (await site.call("GET", "/users/me", headers={"x-auth-token": other}))[0] == 401


async def test_sign_in_asks_for_the_code_after_the_right_password_only(site: Site) -> None:
    phone, _ = await turned_on(site)
    assert await sign_in(site) == (401, "second_factor_needed")
    assert await sign_in(site, "") == (401, "second_factor_needed")
    assert await sign_in(site, password="wrong-wrong") == (401, "wrong_login")
    assert await sign_in(site, phone.wrong()) == (401, "second_factor_wrong")
    assert (await logged(site))[0] == ("sign_in_failed", "wrong authentication code")
    status, token = await sign_in(site, phone.next_code())
    assert status == 200
    assert (await site.call("GET", "/users/me", headers={"x-auth-token": token}))[0] == 200


async def test_a_form_has_a_code_too(site: Site) -> None:
    phone, _ = await turned_on(site)
    form = {"username": ACCOUNT["email"], "password": ACCOUNT["password"]}
    login = "/api/v1/login/access-token"
    answer = await site.raw("POST", login, form={**form, "code": phone.next_code()})
    assert answer.status_code == 200


@pytest.mark.parametrize(("off", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
async def test_a_phones_clock_may_be_off_by_one_step(site: Site, off: int, status: int) -> None:
    phone, _ = await turned_on(site)
    site.clock.advance(5 * STEP_S)
    assert (await sign_in(site, phone.code(off)))[0] == status


async def test_a_code_counts_once(site: Site) -> None:
    phone, _ = await turned_on(site)
    assert await sign_in(site, phone.code()) == (401, "second_factor_wrong")  # it confirmed
    code = phone.next_code()
    assert (await sign_in(site, code))[0] == 200
    assert await sign_in(site, code) == (401, "second_factor_wrong")
    statuses: list[int] = []

    async def come(code: str) -> None:
        statuses.append((await sign_in(site, code))[0])

    code = phone.next_code()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(come, code)
        nursery.start_soon(come, code)
    assert sorted(statuses) == [200, 401]


async def test_a_recovery_code_counts_once_and_is_in_the_log(site: Site) -> None:
    _, codes = await turned_on(site)
    assert (await sign_in(site, codes[0].upper().replace("-", " ")))[0] == 200
    assert await sign_in(site, codes[0]) == (401, "second_factor_wrong")
    assert ("recovery_code_used", "9 left") in await logged(site)
    assert (await site.call("GET", AT))[1]["recovery_codes_left"] == 9


async def test_guesses_at_codes_are_limited_whatever_their_address(
    site: Site, autojump_clock: Any
) -> None:
    phone, codes = await turned_on(site)

    async def guess(n: int, code: str) -> tuple[int, Any]:
        answer = await site.raw(
            "POST",
            "/api/v1/login/access-token",
            json={**ACCOUNT, "code": code},
            scope_base={"client": (f"203.0.{n}.1", 5)},
        )
        return answer.status_code, (await answer.get_json()).get("code")

    for n in range(CODE_TRIES):
        assert await guess(n, phone.wrong()) == (401, "second_factor_wrong")
    assert await guess(100, phone.next_code()) == (429, "too_many_codes")
    # She is signed in, has her recovery codes, and is let in a while later.
    header = {CODE_HEADER: phone.next_code()}
    assert (await site.call("GET", "/audit-log?limit=1"))[0] == 200
    answer = await site.raw("GET", "/api/v1/audit-log/export", headers=header)
    assert answer.status_code == 200
    assert (await guess(101, codes[0]))[0] == 200
    await trio.sleep(CODE_EVERY_S)
    assert (await guess(102, phone.next_code()))[0] == 200


async def test_right_codes_do_not_count_as_guesses(site: Site) -> None:
    phone, _ = await turned_on(site)
    for _ in range(2 * CODE_TRIES):
        assert (await sign_in(site, phone.next_code()))[0] == 200


CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "/users/me", {**PASSWORD, "password": "another-horse"}),
    ("PATCH", "/users/me", {**PASSWORD, "email": "ada@example.com"}),
    ("DELETE", AT, PASSWORD),
    ("POST", f"{AT}/recovery-codes", None),
    ("GET", "/audit-log/export", None),
    ("GET", "/users/me/export", None),
    ("DELETE", "/users/me", {"password": PASSWORD["current_password"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_it_is_asked_again_before_what_revokes_or_exports(
    site: Site, method: str, path: str, body: Any
) -> None:
    phone, _ = await turned_on(site)
    options: dict[str, Any] = {} if body is None else {"json": body}

    async def ask(code: str | None) -> tuple[int, Any]:
        headers = {} if code is None else {CODE_HEADER: code}
        answer = await site.raw(method, f"/api/v1{path}", headers=headers, **options)
        is_json = answer.content_type == "application/problem+json"
        return answer.status_code, (await answer.get_json())["code"] if is_json else None

    assert await ask(None) == (403, "second_factor_needed")
    assert await ask(phone.wrong()) == (403, "second_factor_wrong")
    status, problem = await ask(phone.next_code())
    assert status < 300, problem


async def test_a_new_name_needs_no_code_and_a_wrong_password_uses_none_up(site: Site) -> None:
    phone, _ = await turned_on(site)
    assert (await site.call("PATCH", "/users/me", json={"full_name": "Ada"}))[0] == 200
    headers = {CODE_HEADER: phone.next_code()}
    change = {"password": "another-horse", "current_password": "wrong-wrong"}
    status, _ = await site.call("PATCH", "/users/me", json=change, headers=headers)
    assert status == 422
    change = {**change, **PASSWORD}
    assert (await site.call("PATCH", "/users/me", json=change, headers=headers))[0] == 200


async def test_a_change_that_has_to_be_made_again_asks_for_one_code(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else changes the account between the code and the change."""
    phone, _ = await turned_on(site)
    store = site.service.store
    real, calls = store.user, 0

    async def older(user_id: str) -> User | None:
        nonlocal calls
        calls += 1
        found = await real(user_id)
        if calls == 1:
            assert found is not None
            await store.update_user(AccountChange(user=found))
        return found

    monkeypatch.setattr(store, "user", older)
    change = {**PASSWORD, "password": "another-horse"}
    headers = {CODE_HEADER: phone.next_code()}
    status, body = await site.call("PATCH", "/users/me", json=change, headers=headers)
    assert (status, calls) == (200, 2), body


async def test_who_turns_it_off_signs_in_as_before(site: Site) -> None:
    _, codes = await turned_on(site)
    headers = {CODE_HEADER: codes[3]}
    assert (await site.call("DELETE", AT, json=PASSWORD, headers=headers))[0] == 204
    assert (await sign_in(site))[0] == 200
    assert [a for a, _ in await logged(site)][1:3] == ["second_factor_off", "recovery_code_used"]
    for method, path, body in CHANGES[2:4]:
        options = {} if body is None else {"json": body}
        status, problem = await site.call(method, path, **options)
        assert (status, problem["code"]) == (409, "second_factor_is_off")
    await turned_on(site)


async def test_new_recovery_codes_replace_the_old_ones(site: Site) -> None:
    phone, codes = await turned_on(site)
    headers = {CODE_HEADER: phone.next_code()}
    status, made = await site.call("POST", f"{AT}/recovery-codes", headers=headers)
    assert status == 200
    assert await sign_in(site, codes[0]) == (401, "second_factor_wrong")
    assert (await sign_in(site, made["recovery_codes"][0]))[0] == 200
    assert "recovery_codes_renewed" in dict(await logged(site))


async def test_a_new_password_by_mail_does_not_lift_it_and_the_operator_does(site: Site) -> None:
    await turned_on(site)
    user = await site.service.store.user_by_email(ACCOUNT["email"])
    assert user is not None
    await site.service.store.add_reset(kept_of("token"), user.id, site.clock.now_us() + 1)
    reset = {"token": "token", "password": "another-horse"}
    assert (await site.post("/password-reset", reset))[0] == 204
    assert await sign_in(site, password="another-horse") == (401, "second_factor_needed")
    assert await lift(site.service.store, user.id, site.clock.now_us())
    assert not await lift(site.service.store, user.id, site.clock.now_us())
    status, token = await sign_in(site, password="another-horse")
    assert status == 200
    site.headers = {"x-auth-token": token}
    assert ("second_factor_off", "by the operator") in await logged(site)


async def test_an_account_of_another_provider_has_none(site: Site) -> None:
    zalo = User(
        id=site.service.ids.uuid(),
        email=None,
        full_name="Lan",
        password_hash=None,
        created_us=1,
        idp="zalo",
        subject="1",
    )
    await site.service.store.add_user(zalo)
    site.headers = await signed_in_as(site, zalo)
    status, problem = await site.post(AT, PASSWORD)
    assert (status, problem["code"]) == (403, "second_factor_elsewhere")


async def signed_in_as(site: Site, user: User) -> dict[str, str]:
    now_us = site.clock.now_us()
    session = Session(
        id=site.service.ids.uuid(), user_id=user.id, created_us=now_us, expires_us=now_us + 10**12
    )
    assert await site.service.store.add_session(session, None)
    return {"x-auth-token": Tokens("s" * 32).issue(user, session)}


async def test_a_program_with_a_key_neither_sees_it_nor_is_asked(site: Site) -> None:
    _, made = await site.post("/api-keys", {"name": "script"})
    await turned_on(site)
    site.headers = {"x-auth-token": made["key"]}
    assert (await site.call("GET", "/devices"))[0] == 200
    assert (await site.call("GET", AT))[0] == 403
