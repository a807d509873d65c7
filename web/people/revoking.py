"""After a new password or email address: what else ends, what remains, and who is told.

All sessions and links for a new password end with the change itself (`update_user`). API keys and
the read-only MQTT login have secrets of their own; they end if the user says so.
"""

from protocol.people.access import KEYS_MAX
from protocol.people.user import User
from protocol.rest.listing import API_KEYS, Listing
from web.http.context import Call
from web.people.mails import send_later
from web.people.sign_in import note

PASSWORD_CHANGED = "Your Roost password was changed"
EMAIL_CHANGED = "The email address of your Roost account was changed"
TEXT = """{what}.

All devices that were signed in with this account were signed out. {rest}

If it was not you, {advice}
"""
RESET = 'set a new password with "Forgot password?" on the sign-in page, and revoke all API keys.'
ASK = "ask the administrator of your Roost for help at once."


async def password_changed(call: Call, user: User, *, revoke: bool) -> None:
    """Revoke, if asked; note it in the activity log, and tell the user by mail."""
    rest = await _rest(call, user, revoke=revoke)
    await note(call, user.id, "password_changed", rest)
    _tell(call, user, PASSWORD_CHANGED, PASSWORD_CHANGED, rest, RESET)


async def email_changed(call: Call, before: User, after: User, *, revoke: bool) -> None:
    """Like `password_changed`; the mail goes to the address that the account had before."""
    rest = await _rest(call, before, revoke=revoke)
    await note(call, before.id, "email_changed", f"{before.email} to {after.email}; {rest}")
    _tell(call, before, EMAIL_CHANGED, f"{EMAIL_CHANGED} to {after.email}", rest, ASK)


async def _rest(call: Call, user: User, *, revoke: bool) -> str:
    """In words: what has a secret of its own, and whether it was revoked."""
    service = call.service
    if revoke:
        keys = len(await service.store.revoke_api_keys(user.id))
        has_listener = await service.changes.delete_listener(user.id)
    else:
        asked = Listing(limit=KEYS_MAX, sort=API_KEYS.usual)
        keys = len(await service.store.listed(API_KEYS, user.id, asked))
        has_listener = await service.store.listener(user.id) is not None
    found = [_count(keys)] if keys else []
    if has_listener:
        found.append("the MQTT login")
    if not found:
        return "There are no API keys and no MQTT login"
    named = " and ".join(found)
    return f"{named} {'revoked' if revoke else 'not revoked'}"


def _count(keys: int) -> str:
    return "1 API key" if keys == 1 else f"{keys} API keys"


def _tell(call: Call, user: User, subject: str, what: str, rest: str, advice: str) -> None:
    mailer = call.service.mailer
    if mailer is not None and user.email is not None:
        rest = f"{rest[0].upper()}{rest[1:]}."
        text = TEXT.format(what=what, rest=rest, advice=advice)
        send_later(call, mailer, user.email, subject, text)
