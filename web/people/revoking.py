"""A new password or email address: what ends with it, what remains, and who is told.

All sessions and links for a new password end in the transaction of the change. API keys and the
read-only MQTT login have secrets of their own; they end in it, too, if the user says so. The
activity log and a mail to the address before the change tell what remains.
"""

from collections.abc import Iterator

from actors.ports.people import AccountChange
from protocol.people.access import OwnSecrets
from protocol.people.people import Action, AuditEntry
from protocol.people.user import User
from protocol.problems.detail import Detail
from web.http.context import Call
from web.people.activity import entry_of
from web.people.mails import send_later

PASSWORD_CHANGED = "The password of your Roost account was changed"
EMAIL_CHANGED = "The email address of your Roost account was changed"
BOTH_CHANGED = "The password and the email address of your Roost account were changed"
TEXT = """{what}.

All devices that were signed in with this account were signed out. {rest}.

If it was not you, {advice}
"""
RESET = 'set a new password with "Forgot password?" on the sign-in page, and revoke all API keys.'
ASK = "ask the administrator of your Roost for help at once."


async def change_account(
    call: Call, before: User, after: User, *, revoke: bool, take_over: bool = False
) -> bool:
    """Store the change; returns whether it ended all sessions: for a new password or address.

    Args:
        revoke: delete API keys and the read-only MQTT login as well.
        take_over: see `AccountChange`.

    Raises:
        Conflict: another account has this email address.
        Outdated: the account was changed meanwhile.
    """
    what = _what(before, after)

    def entries(secrets: OwnSecrets) -> Iterator[AuditEntry]:
        for action, addresses in what.items():
            said = _remains(secrets, addresses, revoke=revoke)
            yield entry_of(call, before.id, action, said)
        for action, beside in _beside(before, after).items():
            yield entry_of(call, before.id, action, beside)

    change = AccountChange(
        user=after,
        known=before.revision,
        sign_out=bool(what),
        revoke=revoke,
        take_over=take_over,
        entries=entries,
    )
    secrets = await call.service.changes.change_account(change)
    if what:
        _tell(call, before, after, _rest(secrets, revoke=revoke))
    return bool(what)


def _what(before: User, after: User) -> dict[Action, dict[str, str]]:
    """What signs everybody out: the actions, with the addresses that the activity log names."""
    what: dict[Action, dict[str, str]] = {}
    if after.email != before.email:
        what["email_changed"] = {"before": str(before.email), "after": str(after.email)}
    if after.password_hash != before.password_hash:
        what["password_changed"] = {}
    return what


# By what has a secret of its own: API keys, the MQTT login. Each revoked or not, and each beside a
# new email address or alone.
_REMAINS = {
    (True, True): (
        *("log_keys_login_revoked", "log_keys_login_left"),
        *("log_email_keys_login_revoked", "log_email_keys_login_left"),
    ),
    (True, False): (
        *("log_keys_revoked", "log_keys_left"),
        *("log_email_keys_revoked", "log_email_keys_left"),
    ),
    (False, True): (
        *("log_login_revoked", "log_login_left"),
        *("log_email_login_revoked", "log_email_login_left"),
    ),
    (False, False): (
        *("log_nothing_left", "log_nothing_left"),
        *("log_email_nothing_left", "log_email_nothing_left"),
    ),
}


def _remains(secrets: OwnSecrets, addresses: dict[str, str], *, revoke: bool) -> Detail:
    """What the activity log says about secrets of their own."""
    keys = len(secrets.key_ids)
    codes = _REMAINS[keys > 0, secrets.listener is not None]
    code = codes[(0 if revoke else 1) + (2 if addresses else 0)]
    return Detail(code, **addresses, **({"keys": keys} if keys else {}))


def _beside(before: User, after: User) -> dict[Action, str | Detail]:
    """What signs nobody out."""
    beside: dict[Action, str | Detail] = {}
    if after.email_pending not in (None, before.email_pending):
        beside["email_change_asked"] = Detail(
            "log_email_change", before=str(before.email), after=str(after.email_pending)
        )
    elif before.email_pending not in (None, after.email_pending, after.email):
        beside["email_change_cancelled"] = f"{before.email_pending}"
    known, was_known = (
        (after.email, after.email_verified_us),
        (before.email, before.email_verified_us),
    )
    if known != was_known and after.email_verified_us is not None:
        beside["email_verified"] = f"{after.email}"
    return beside


def _rest(secrets: OwnSecrets, *, revoke: bool) -> str:
    """For the mail: what has a secret of its own, and whether it was revoked."""
    keys = len(secrets.key_ids)
    found = [f"{keys} API key{'' if keys == 1 else 's'}"] if keys else []
    if secrets.listener is not None:
        found.append("the MQTT login")
    if not found:
        return "There are no API keys and no MQTT login"
    text = f"{' and '.join(found)} {'revoked' if revoke else 'not revoked'}"
    return f"{text[0].upper()}{text[1:]}"


def _tell(call: Call, before: User, after: User, rest: str) -> None:
    mailer = call.service.mailer
    # Nobody knows whose an address is that was never verified.
    if mailer is None or before.email is None or before.email_verified_us is None:
        return
    subject, what, advice = PASSWORD_CHANGED, PASSWORD_CHANGED, RESET
    if after.email != before.email:
        is_same_password = after.password_hash == before.password_hash
        subject = EMAIL_CHANGED if is_same_password else BOTH_CHANGED
        what, advice = f"{subject}. The new address is {after.email}", ASK
    send_later(
        call, mailer, before.email, subject, TEXT.format(what=what, rest=rest, advice=advice)
    )
