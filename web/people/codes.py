"""Where a second factor is asked for: at sign-in, and again before what revokes or exports.

    factor_us = await check_at_sign_in(call, user, sent.code, attempt)
    await check_second_factor(call)          # the header X-Second-Factor

A code counts once, also of two requests at the same moment: it is used up in one transaction.
"""

from collections.abc import Sequence
from contextlib import suppress

from protocol.errors import Forbidden, Unauthorized
from protocol.people.people import AuditEntry
from protocol.people.second_factor import WRONG, SecondFactor, kind_of, used
from protocol.people.user import User
from protocol.problems.detail import Detail
from web.http.context import Call
from web.http.operation import CODE_HEADER
from web.people.activity import entry_of, note
from web.people.sign_in_limits import Attempt

NEEDED = Detail("second_factor_needed")


async def second_factor_of(call: Call, user: User) -> int | None:
    """When the user's second factor was confirmed; None if there is none."""
    factor = await call.service.store.second_factor(user.id)
    return None if factor is None else factor.confirmed_us


async def check_at_sign_in(
    call: Call, user: User, code: str | None, attempt: Attempt
) -> int | None:
    """After the right password: the code of the second factor, if the user has one. Returns when
    that was confirmed.

    Raises:
        Unauthorized: it is missing or wrong.
        TooMany: too many wrong ones were tried.
    """
    confirmed_us = await second_factor_of(call, user)
    if confirmed_us is None:
        return None
    if not code:
        raise Unauthorized(NEEDED)
    with suppress(Forbidden):
        await use_code(call, user, code, is_in=False)
        return confirmed_us
    attempt.wrong()
    await note(call, user.id, "sign_in_failed", Detail("log_wrong_code"))
    raise Unauthorized(WRONG)


async def check_second_factor(call: Call) -> None:
    """Ask again, if the user has a second factor: for requests of signed-in people that revoke or
    export. Nothing else of the request should fail after it, because the code is used up.

    Raises:
        Forbidden: the code is missing or wrong.
        TooMany: too many wrong ones were tried.
    """
    if call.has_shown_code or await second_factor_of(call, call.user) is None:
        return
    await use_code(call, call.user, call.request.headers.get(CODE_HEADER))
    call.has_shown_code = True


async def use_code(call: Call, user: User, code: str | None, *, is_in: bool = True) -> None:
    """Use up a code. Raises `Forbidden`, `TooMany`."""
    if not code:
        raise Forbidden(NEEDED)
    now_us = call.service.clock.now_us()

    def change(factor: SecondFactor | None) -> tuple[SecondFactor | None, Sequence[AuditEntry]]:
        if factor is None or not factor.is_on:
            return factor, ()  # it was turned off at this very moment
        after = used(factor, code, now_us)
        if after is None:
            raise Forbidden(WRONG)
        left = len(after.recovery_sha256)
        if left == len(factor.recovery_sha256):
            return after, ()
        return after, [
            entry_of(call, user.id, "recovery_code_used", Detail("log_codes_left", count=left))
        ]

    if kind_of(code) == "recovery":  # nobody guesses one
        await call.service.store.update_second_factor(user.id, change)
        return
    with call.limits.trying_code(user.id, is_in=is_in) as attempt:
        try:
            await call.service.store.update_second_factor(user.id, change)
        except Forbidden:
            attempt.wrong()
            raise
