"""What a new password must not be, and addresses and passwords however they were typed."""

import unicodedata
from importlib import resources

import msgspec
import pytest

from actors.ports.people import AccountChange
from protocol.errors import Invalid
from protocol.people.passwords import COMMON, check_new
from tests.unit.site import ACCOUNT, Site

EMAIL, PASSWORD = "béa@exämple.org", "crème brûlée"


def forms(text: str) -> list[str]:
    """The same text as other code points."""
    return [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]


def test_the_list_has_ten_thousand_that_are_long_enough() -> None:
    words = (resources.files("protocol.people") / COMMON).read_text().split()
    assert len(set(words)) == len(words) == 10_000
    assert min(map(len, words)) >= 8
    assert words == sorted(word.lower() for word in words)


@pytest.mark.parametrize("password", ["password", "PassWord", "1QAZ2wsx", "iloveyou"])
def test_common_ones_are_refused_whatever_their_case(password: str) -> None:
    with pytest.raises(Invalid, match="too common"):
        check_new(password)


async def test_a_common_password_is_refused_wherever_one_is_set(site: Site) -> None:
    status, problem = await site.post("/users", {"email": "b@x.org", "password": "Password1"})
    assert (status, problem["errors"]) == (422, {"password": "is too common; choose another one"})
    change = {"password": "12345678", "current_password": ACCOUNT["password"]}
    status, problem = await site.call("PATCH", "/users/me", json=change)
    assert (status, list(problem["errors"])) == (422, ["password"])
    status, problem = await site.post("/password-reset", {"token": "x", "password": "qwertyuiop"})
    assert (status, list(problem["errors"])) == (422, ["password"])


async def test_an_account_is_the_same_however_its_letters_are_typed(site: Site) -> None:
    composed, parts = forms(EMAIL)
    assert composed != parts
    account = {"email": parts, "password": forms(PASSWORD)[1]}
    status, made = await site.post("/users", account)
    assert (status, made["email"]) == (201, composed)
    for email in forms(EMAIL):
        for password in forms(PASSWORD):
            sent = {"email": email, "password": password}
            assert (await site.post("/login/access-token", sent))[0] == 200
        assert (await site.post("/users", {"email": email, "password": PASSWORD}))[0] == 409


async def test_a_password_that_was_hashed_as_typed_is_still_good(site: Site) -> None:
    await site.post("/users", {"email": EMAIL, "password": PASSWORD})
    user = await site.service.store.user_by_email(EMAIL)
    assert user is not None
    typed = forms(PASSWORD)[1]
    changed = msgspec.structs.replace(user, password_hash=f"plain:{typed}")
    await site.service.store.update_user(AccountChange(user=changed))
    sent = {"email": EMAIL, "password": typed}
    assert (await site.post("/login/access-token", sent))[0] == 200


@pytest.mark.parametrize(
    "email", ["a@b", "a@b.", "a@.b", "a b@x.org", "a@x..org", "a\x01@x.org", "a@x.org\n", "@x.org"]
)
async def test_what_cannot_be_an_address_is_refused(site: Site, email: str) -> None:
    sent = {"email": email, "password": "battery-staple"}
    status, problem = await site.post("/users", sent)
    assert (status, list(problem["errors"])) == (422, ["email"])
