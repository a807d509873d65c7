"""Email addresses are verified where mail is set up: a link in a mail, opened by the account.

A link confirms one address of one account, once, within a day, and only for somebody who is signed
in there: a stranger whose address was used cannot confirm by mistake what is not his. Until then
the address gets no other mail than the links that are asked for.
"""

from contextlib import suppress
from urllib.parse import quote

import msgspec
import structlog

from protocol.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Outdated,
    TooMany,
    Unavailable,
    in_words,
)
from protocol.people.access import VERIFY_S, EmailToken, kept_of
from protocol.people.user import User
from protocol.people.views import UserView, user_view
from protocol.problems.detail import Detail
from protocol.times import SECOND_US
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.preconditions import tag
from web.http.routing import Api
from web.people.activity import note
from web.people.mails import send_later
from web.people.revoking import change_account
from web.people.sign_in import renew_cookie

log = structlog.get_logger("roost.web")
api = Api("people")

SUBJECT = "Verify your email address for Roost"
TEXT = """Someone, probably you, uses this email address for a Roost account at {url}

To verify the address, open this link within 24 hours and sign in to that account:

{link}

If it was not you, ignore this mail. The address stays unverified.
"""


@api.operation(
    "POST", "/email-verification/request", status=202, errors=(403, 409), auth=Auth.SESSION
)
async def ask_for_verification(call: Call) -> None:
    """Send the mail with the link again; earlier links stop working."""
    if not call.mails_links:
        raise Forbidden(Detail("verification_not_set_up"))
    user = await call.service.store.user(call.user.id) or call.user
    if user.unconfirmed is None:
        raise Conflict(Detail("email_is_verified"))
    call.limits.verification(user.unconfirmed, call.address)
    await send_link(call, user)


@api.operation(
    "POST",
    "/email-verification",
    body=Json(EmailToken),
    answer=Json(UserView),
    errors=(409,),
    auth=Auth.SESSION,
)
async def verify_email(call: Call, body: EmailToken) -> UserView:
    """Verify the address of your account with the token of a link.

    A new address replaces the former one then. That ends all sessions, like a new password; a
    browser that is signed in by cookie gets a new cookie with the response.
    """
    now_us = call.service.clock.now_us()
    found = await call.service.store.email_verification(kept_of(body.token), now_us)
    # Of another account's link nobody learns more than of a wrong one.
    if found is None or found[0].id != call.user.id:
        raise Invalid({"token": Detail("verification_link_used")})
    user, email = found
    changed = msgspec.structs.replace(
        user, email=email, email_verified_us=now_us, email_pending=None
    )
    try:
        signed_out = await change_account(call, user, changed, revoke=False)
    except Outdated:  # the account was changed at this very moment, perhaps with this link
        raise Invalid({"token": Detail("verification_link_used")}) from None
    if signed_out:
        await renew_cookie(call, changed)
    tag(call, user.revision + 1)
    return user_view(changed)


@api.operation("DELETE", "/email-verification", status=204, auth=Auth.SESSION)
async def cancel_new_email(call: Call) -> None:
    """Give up a new address that was not verified yet; the former one stays."""
    user = await call.service.store.user(call.user.id) or call.user
    if user.email_pending is not None:
        await change_account(
            call, user, msgspec.structs.replace(user, email_pending=None), revoke=False
        )


async def verify_later(call: Call, user: User) -> None:
    """Send the first link of a new account. Without room for a mail it is asked for later."""
    if not call.mails_links or user.unconfirmed is None:
        return
    with suppress(TooMany):
        call.limits.verification(user.unconfirmed, call.address)
        await send_if_possible(call, user)


async def send_if_possible(call: Call, user: User) -> None:
    """After a change that is done: without an answer of the store the link is asked for later."""
    try:
        await send_link(call, user)
    except Unavailable as error:
        log.warning("verification link not sent", error=in_words(error))


async def with_address(call: Call, user: User, email: str) -> User:
    """The user with a new address: at once, or pending where mail is set up.

    Raises:
        Conflict: another account has it.
        TooMany: it got too many mails.
    """
    if not call.mails_links:
        verified_us = user.email_verified_us if email == user.email else None
        return msgspec.structs.replace(
            user, email=email, email_verified_us=verified_us, email_pending=None
        )
    if email == user.email:
        return msgspec.structs.replace(user, email_pending=None)
    other = await call.service.store.user_by_email(email)
    if other is not None and other.id != user.id:
        raise Conflict(Detail("account_exists"))
    call.limits.verification(email, call.address)
    return msgspec.structs.replace(user, email_pending=email)


async def send_link(call: Call, user: User) -> None:
    """Mail a link for the address that is to be confirmed, which replaces earlier ones."""
    mailer, email = call.service.mailer, user.unconfirmed
    assert mailer is not None
    assert email is not None
    token, url = call.service.ids.secret(), call.where()
    until_us = call.service.clock.now_us() + VERIFY_S * SECOND_US
    await call.service.store.add_email_verification(kept_of(token), user.id, email, until_us)
    await note(call, user.id, "email_verification_sent", email)
    # Browsers do not send what is behind the '#', so the token reaches no log.
    link = f"{url}/#/verify/{quote(token)}"
    send_later(call, mailer, email, SUBJECT, TEXT.format(url=url, link=link))
