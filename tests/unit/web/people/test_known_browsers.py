"""Browsers in which an account was signed in to before, as a black box."""

from typing import Any

import jwt
import pytest

from tests.unit.site import ACCOUNT, Site
from web.people.known_browsers import AUDIENCE, COOKIE
from web.people.sign_in_limits import ACCOUNT_TRIES

FAR = "203.0.113."


async def sign_in(site: Site, address: str, cookie: str = "", **changes: str) -> Any:
    headers = {"Cookie": cookie} if cookie else {}
    return await site.raw(
        "POST",
        "/api/v1/login/access-token",
        json={**ACCOUNT, **changes},
        headers=headers,
        scope_base={"client": (address, 5)},
    )


def browser_cookie(answer: Any) -> str:
    (found,) = [
        each.partition(";")[0]
        for each in answer.headers.getlist("Set-Cookie")
        if each.startswith(COOKIE)
    ]
    return str(found)


async def lock(site: Site) -> None:
    """Strangers guess until the account takes nobody from anywhere new."""
    for n in range(ACCOUNT_TRIES):
        await sign_in(site, f"{FAR}{n // 9}", password="wrong-password")


async def test_the_owner_gets_in_with_her_browser_while_strangers_guess(site: Site) -> None:
    cookie = browser_cookie(await sign_in(site, "192.0.2.1"))
    await lock(site)
    assert (await sign_in(site, "198.51.100.1")).status_code == 429
    assert (await sign_in(site, "198.51.100.1", cookie)).status_code == 200


async def test_a_browser_keeps_its_count_when_it_signs_in_again(site: Site) -> None:
    first = await sign_in(site, "192.0.2.1")
    again = await sign_in(site, "192.0.2.1", browser_cookie(first))
    names = [
        jwt.decode(browser_cookie(each).partition("=")[2], options={"verify_signature": False})[
            "jti"
        ]
        for each in (first, again)
    ]
    assert names[0] == names[1]
    assert ACCOUNT["email"] not in browser_cookie(first)


@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        ({"sub": "0" * 32}, "s" * 32),
        ({"aud": "another"}, "s" * 32),
        ({"jti": "no id"}, "s" * 32),
        ({"jti": 7}, "s" * 32),
        ({}, "t" * 32),
    ],
)
async def test_a_cookie_of_another_account_or_server_helps_nobody(
    site: Site, changes: dict[str, Any], secret: str
) -> None:
    value = browser_cookie(await sign_in(site, "192.0.2.1")).partition("=")[2]
    claims = jwt.decode(value, "s" * 32, algorithms=["HS256"], audience=AUDIENCE)
    forged = jwt.encode(claims | changes, secret, algorithm="HS256")
    await lock(site)
    answer = await sign_in(site, "198.51.100.1", f"{COOKIE}={forged}")
    assert answer.status_code == 429


async def test_the_cookie_gives_no_access(site: Site) -> None:
    value = browser_cookie(await sign_in(site, "192.0.2.1")).partition("=")[2]
    site.headers = {"x-auth-token": value}
    assert (await site.call("GET", "/users/me"))[0] == 401
    site.headers = {"Cookie": f"roost_token={value}"}
    assert (await site.call("GET", "/users/me"))[0] == 401
