"""REST calls that turn a second factor on and off.

It is for those who sign in with a password. Zalo asks its users itself, and a program with an API
key has nobody to ask.
"""

from collections.abc import Sequence
from functools import partial

import segno

from protocol.errors import Conflict, Forbidden
from protocol.people import totp
from protocol.people.people import Action, AuditEntry
from protocol.people.second_factor import (
    RECOVERY_CODES,
    CodeSent,
    PasswordAgain,
    RecoveryCodes,
    SecondFactor,
    SecondFactorBegun,
    SecondFactorView,
    begun,
    confirmed,
    recovery_code,
    renewed,
)
from protocol.problems.detail import Detail
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.routing import Api
from web.people.account import check_password
from web.people.activity import entry_of
from web.people.codes import check_second_factor

api = Api("people")

Changed = tuple[SecondFactor | None, Sequence[AuditEntry]]
OFF = Detail("second_factor_is_off")


@api.operation("GET", "/users/me/second-factor", answer=Json(SecondFactorView), auth=Auth.SESSION)
async def show_second_factor(call: Call) -> SecondFactorView:
    """Show whether sign-in asks for a code, and how many recovery codes are left."""
    factor = await call.service.store.second_factor(call.user.id)
    if factor is None or not factor.is_on:
        return SecondFactorView(enabled=False, recovery_codes_left=0)
    return SecondFactorView(enabled=True, recovery_codes_left=len(factor.recovery_sha256))


@api.operation(
    "POST",
    "/users/me/second-factor",
    body=Json(PasswordAgain),
    answer=Json(SecondFactorBegun),
    status=201,
    errors=(409,),
    auth=Auth.SESSION,
)
async def begin_second_factor(call: Call, body: PasswordAgain) -> SecondFactorBegun:
    """Get a secret for an authenticator app. It counts once a code of the app confirms it."""
    user = await call.service.store.user(call.user.id) or call.user
    if user.password_hash is None:
        raise Forbidden(Detail("second_factor_elsewhere", provider=user.idp))
    await check_password(call, user, body.current_password)
    secret = call.service.ids.secret_bits()[: totp.SECRET_BYTES]
    await call.service.store.update_second_factor(
        user.id, lambda factor: (begun(factor, user.id, secret), ())
    )
    uri = totp.uri_of(secret, user.email or user.id)
    call.headers["Cache-Control"] = "no-store"
    return SecondFactorBegun(totp.in_letters(secret), uri, await call.think(partial(picture, uri)))


def picture(uri: str) -> str:
    """A QR code that fills whatever shows it. A screen needs little correction of errors."""
    return segno.make(uri, error="l", micro=False).svg_data_uri(omitsize=True, light="white")


@api.operation(
    "POST",
    "/users/me/second-factor/confirm",
    body=Json(CodeSent),
    answer=Json(RecoveryCodes),
    errors=(409,),
    auth=Auth.SESSION,
)
async def confirm_second_factor(call: Call, body: CodeSent) -> RecoveryCodes:
    """Turn the second factor on with a code of the app. All other sessions end.

    The response has the recovery codes, this once.
    """
    codes = _recovery_codes(call)
    now_us = call.service.clock.now_us()
    store = call.service.store

    def change(factor: SecondFactor | None) -> Changed:
        return confirmed(factor, body.code, now_us, codes), [_entry(call, "second_factor_on")]

    with call.limits.trying_code(call.user.id, is_in=True) as attempt:
        try:
            ended = await store.update_second_factor(
                call.user.id, change, only_session=call.principal.id
            )
        except Forbidden:
            attempt.wrong()
            raise
    for session_id in ended:
        call.service.sessions.invalidate(session_id)
    call.headers["Cache-Control"] = "no-store"
    return RecoveryCodes(codes)


@api.operation(
    "DELETE",
    "/users/me/second-factor",
    body=Json(PasswordAgain),
    status=204,
    errors=(409,),
    auth=Auth.SESSION,
    asks_code=True,
)
async def delete_second_factor(call: Call, body: PasswordAgain) -> None:
    """Turn the second factor off, with the password and a code or a recovery code."""
    user = await call.service.store.user(call.user.id) or call.user
    await check_password(call, user, body.current_password)
    await check_second_factor(call)

    def change(factor: SecondFactor | None) -> Changed:
        if factor is None or not factor.is_on:
            raise Conflict(OFF)
        return None, [_entry(call, "second_factor_off")]

    await call.service.store.update_second_factor(user.id, change)


@api.operation(
    "POST",
    "/users/me/second-factor/recovery-codes",
    answer=Json(RecoveryCodes),
    errors=(409,),
    auth=Auth.SESSION,
    asks_code=True,
)
async def renew_recovery_codes(call: Call) -> RecoveryCodes:
    """Create new recovery codes. The earlier ones stop working."""
    await check_second_factor(call)
    codes = _recovery_codes(call)

    def change(factor: SecondFactor | None) -> Changed:
        if factor is None or not factor.is_on:
            raise Conflict(OFF)
        return renewed(factor, codes), [_entry(call, "recovery_codes_renewed")]

    await call.service.store.update_second_factor(call.user.id, change)
    call.headers["Cache-Control"] = "no-store"
    return RecoveryCodes(codes)


def _recovery_codes(call: Call) -> list[str]:
    return [recovery_code(call.service.ids.secret_bits()) for _ in range(RECOVERY_CODES)]


def _entry(call: Call, action: Action) -> AuditEntry:
    return entry_of(call, call.user.id, action)
