"""A new password by a one-time link, for who has forgotten the old one.

An operator makes the link (`roost user reset`), or it is sent by mail where that is set up. Whoever
asks for a mail learns nothing of who has an account.
"""

import msgspec
import structlog

from actors.ports.mail import Mailer
from protocol.errors import Forbidden, Unauthorized, Unavailable, in_words
from protocol.people.access import PasswordReset, ResetAsked, kept_of
from web.http.context import Call
from web.http.routing import Api
from web.people.reset_links import new_link
from web.people.sign_in import account_of, note

log = structlog.get_logger("roost.web")

api = Api("people")

SUBJECT = "A new password for Roost"
TEXT = """Somebody, probably you, asked for a new password for your account at Roost.

Set it here within an hour:

{link}

If it was not you, do nothing: your password stays as it is.
"""


@api.operation(
    "POST", "/password-reset/request", body=ResetAsked, status=202, errors=(403,), public=True
)
async def ask_for_reset(call: Call, body: ResetAsked) -> None:
    """Ask for a mail with a link that sets a new password; the answer is the same for everybody."""
    mailer = call.service.mailer
    if mailer is None:
        raise Forbidden("no mail is sent here; ask the operator for a link")
    url = call.where()
    with call.limits.trying(f"reset {body.email}", call.address) as attempt:
        attempt.wrong()  # every mail counts
    user = await account_of(call, body.email)
    if user is None or user.email is None or user.password_hash is None:
        return
    await note(call, user.id, "password_reset_asked")
    link = await new_link(
        call.service.store, call.service.ids, user, url, call.service.clock.now_us()
    )
    # Not waited for: how long it takes would tell that there is an account.
    call.service.supervisor.run_contained(
        "mail", lambda: _sent(mailer, str(user.email), link), gave_up=lambda: None
    )


async def _sent(mailer: Mailer, to: str, link: str) -> None:
    try:
        await mailer.send(to, SUBJECT, TEXT.format(link=link))
    except Unavailable as error:
        log.warning("mail not sent", error=in_words(error))


@api.operation(
    "POST", "/password-reset", body=PasswordReset, status=204, errors=(401,), public=True
)
async def reset_password(call: Call, body: PasswordReset) -> None:
    """Set a new password with the token of a link; all sessions end."""
    # A hash costs a third of a second: who guesses at links may not ask for many.
    with call.limits.trying(None, call.address) as attempt:
        hashed = await call.hashing.hash(body.password, call.limits.who(call.address))
        user = await call.service.store.take_reset(kept_of(body.token), call.service.clock.now_us())
        if user is None:
            attempt.wrong()
            raise Unauthorized("the link was used, or is over; ask for another")
    changed = msgspec.structs.replace(user, password_hash=hashed)
    await call.service.store.update_user(changed, sign_out=True)
    call.service.sessions.changed(user.id, signed_out=True)
    await note(call, user.id, "password_changed")
