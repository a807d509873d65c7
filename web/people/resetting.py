"""REST calls that reset a forgotten password with a one-time link.

An operator creates the link (`roost user reset`), or it is sent by mail where that is set up. The
response to a request for a mail does not reveal whether the account exists.
"""

import msgspec

from protocol.errors import Forbidden, Outdated, Unauthorized
from protocol.people.access import MAILED, PasswordReset, ResetAsked, kept_of
from protocol.people.passwords import check_new, normal
from protocol.problems.detail import Detail
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.routing import Api
from web.people.activity import note
from web.people.mails import send_later
from web.people.reset_links import new_link
from web.people.revoking import change_account
from web.people.sign_in import account_of

api = Api("people")

NO_LINK = Detail("reset_link_used")
SUBJECT = "Reset your Roost password"
TEXT = """Someone, probably you, asked to reset the password of your Roost account.

Set a new password here within one hour:

{link}

If it was not you, ignore this mail. Your password stays the same.
"""


@api.operation(
    "POST",
    "/password-reset/request",
    body=Json(ResetAsked),
    status=202,
    errors=(403,),
    auth=Auth.PUBLIC,
)
async def ask_for_reset(call: Call, body: ResetAsked) -> None:
    """Request a mail with a reset link. The response does not reveal whether the account exists."""
    mailer = call.service.mailer
    if mailer is None:
        raise Forbidden(Detail("email_not_set_up"))
    url, email = call.where(), normal(body.email)
    with call.limits.trying(f"reset {email}", call.address) as attempt:
        attempt.wrong()  # every requested mail counts against the limit
    user = await account_of(call, email)
    if user is None or user.email is None or user.password_hash is None:
        return
    if user.disabled_us is not None:
        return
    await note(call, user.id, "password_reset_asked")
    link = await new_link(
        call.service.store, call.service.ids, user, url, call.service.clock.now_us(), is_mailed=True
    )
    send_later(call, mailer, user.email, SUBJECT, TEXT.format(link=link))


@api.operation(
    "POST", "/password-reset", body=Json(PasswordReset), status=204, errors=(401,), auth=Auth.PUBLIC
)
async def reset_password(call: Call, body: PasswordReset) -> None:
    """Set a new password with the token of a reset link.

    All sessions end, and API keys and the read-only MQTT login are revoked unless `revoke` is
    false.

    A mailed link also verifies the address. If it was not verified before, somebody else may have
    signed up with it. So keys and the MQTT login end in any case, and so does the second factor;
    webhooks are switched off.
    """
    check_new(body.password)
    # A hash takes a third of a second, so guesses at tokens are limited like sign-ins.
    with call.limits.trying(None, call.address) as attempt:
        hashed = await call.hashing.hash(body.password, call.limits.who(call.address))
        user = await call.service.store.reset_user(kept_of(body.token), call.service.clock.now_us())
        if user is None:
            attempt.wrong()
            raise Unauthorized(NO_LINK)
    changed = msgspec.structs.replace(user, password_hash=hashed, email_pending=None)
    take_over = False
    if body.token.startswith(MAILED) and user.email_verified_us is None:
        changed = msgspec.structs.replace(changed, email_verified_us=call.service.clock.now_us())
        take_over = True
    try:
        await change_account(
            call, user, changed, revoke=body.revoke or take_over, take_over=take_over
        )
    except Outdated:  # the account was changed at this very moment, perhaps with this link
        raise Unauthorized(NO_LINK) from None
