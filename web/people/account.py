"""REST calls for signing in, signing up, and the user's own account."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, UnsetType
from quart import Response

from protocol import codec
from protocol.errors import Forbidden, Invalid, TooLarge, TooMany, Unauthorized
from protocol.people.passwords import check_new, normal
from protocol.people.user import User
from protocol.people.views import Credentials, NewUser, Token, UserChange, UserView, user_view
from protocol.problems.detail import Detail
from web.http.context import Call
from web.http.operation import Auth, Condition, Form, Json
from web.http.preconditions import check_match, tag
from web.http.routing import Api
from web.people.activity import note
from web.people.codes import check_at_sign_in, check_second_factor
from web.people.hashing import Who
from web.people.known_browsers import browser_of
from web.people.revoking import change_account
from web.people.sign_in import account_of, begin_session, renew_cookie
from web.people.verifying import send_if_possible, verify_later, with_address

api = Api("people")

FORM_BYTES_MAX = 16 * 1024


@api.operation(
    "POST",
    "/login/access-token",
    body=Form(Credentials),
    answer=Json(Token),
    errors=(400, 401, 403, 413, 422),
    auth=Auth.PUBLIC,
)
async def login(call: Call) -> Response:
    """Sign in with email and password, as JSON or as a form. Sets the session cookie.

    `code`: where the account has a second factor. Without it the answer is 401 with the code
    `second_factor_needed`.
    """
    if not call.auth.is_same_origin(call.request):
        raise Forbidden(Detail("sign_in_from_elsewhere"))
    wanted = await _credentials(call)
    browser = browser_of(call, wanted.email)
    user = await account_of(call, wanted.email, browser)
    try:
        known, factor_us = await _verified(call, wanted, user, browser)
    except TooMany as error:
        refused = error
    else:
        return await begin_session(call, known, known.password_hash, factor_us)
    if user is not None and call.limits.tells(user.id):
        await call.hashing.note(partial(note, call, user.id, "sign_in_refused"))
    raise refused


async def _verified(
    call: Call, wanted: Credentials, user: User | None, browser: str | None
) -> tuple[User, int | None]:
    """The user, if the password is right, and the second factor (see `check_at_sign_in`).

    Raises:
        Unauthorized: one of them is wrong or missing, or there is no such user.
        TooMany: too many wrong ones were tried.
    """
    with call.limits.trying(wanted.email, call.address, browser) as attempt:
        # An unknown address takes as long as a wrong password, so it does not reveal accounts.
        hashed = None if user is None else user.password_hash
        who = call.limits.who(call.address, wanted.email, browser)
        matches = await call.hashing.verify(hashed, wanted.password, who)
        if user is None or not matches:
            attempt.wrong()
            if user is not None:
                await call.hashing.note(partial(note, call, user.id, "sign_in_failed"))
            raise Unauthorized(Detail("wrong_login"))
        return user, await check_at_sign_in(call, user, wanted.code, attempt)


async def _credentials(call: Call) -> Credentials:
    kind = call.request.mimetype
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await _form(call, kind)
        missing = [name for name in ("username", "password") if name not in form]
        if missing:
            raise Invalid(dict.fromkeys(missing, Detail("required")))
        return Credentials(normal(form["username"]), form["password"], form.get("code"))
    sent = codec.decode_body(await call.data(), Credentials)
    return Credentials(normal(sent.email), sent.password, sent.code)


async def _form(call: Call, kind: str) -> Mapping[str, str]:
    """The fields of a form. Forms are small: parsing a megabyte blocks the loop for 0.3 s.

    Raises:
        TooLarge: the form is longer than `FORM_BYTES_MAX`, or a multipart form does not declare
            its length.
    """
    if kind == "multipart/form-data":
        if not 0 < (call.request.content_length or 0) <= FORM_BYTES_MAX:
            raise TooLarge(Detail("form_without_length", most=FORM_BYTES_MAX))
        form: Mapping[str, str] = await call.request.form
        return form
    data = await call.data()
    if len(data) > FORM_BYTES_MAX:
        raise TooLarge(Detail("form_too_large", most=FORM_BYTES_MAX))
    return dict(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))


@api.operation(
    "POST",
    "/users",
    body=Json(NewUser),
    answer=Json(UserView),
    status=201,
    errors=(403, 409),
    auth=Auth.PUBLIC,
)
async def sign_up(call: Call, body: NewUser) -> UserView:
    """Create an account, unless sign-up is closed.

    Where mail is set up, a mail asks to verify the address.
    """
    if not call.settings.signup_open:
        raise Forbidden(Detail("sign_up_closed"))
    check_new(body.password)
    call.limits.sign_up(call.address)
    user = User(
        id=call.service.ids.uuid(),
        email=normal(body.email),
        full_name=body.full_name,
        password_hash=await call.hashing.hash(body.password, call.limits.who(call.address)),
        created_us=call.service.clock.now_us(),
    )
    await call.service.store.add_user(user)
    await verify_later(call, user)
    return user_view(user)


@api.operation("GET", "/users/me", answer=Json(UserView), condition=Condition.REVISION)
async def who_am_i(call: Call) -> UserView:
    """Show your account."""
    tag(call, call.user.revision)
    return user_view(call.user)


@api.operation(
    "PATCH",
    "/users/me",
    body=Json(UserChange),
    answer=Json(UserView),
    auth=Auth.SESSION,
    condition=Condition.REVISION,
    asks_code=True,
)
async def change_me(call: Call, body: UserChange) -> UserView:
    """Change your name, email or password.

    A new password or email ends all sessions, including this one, and all links for a new password;
    a browser that is signed in by cookie gets a new cookie with the response. Both ask for the code
    of a second factor.

    Where mail is set up, a new email is `email_pending` until the link in the mail to it was
    opened; the former one stays until then, and so do sessions. The former one again cancels that.
    """
    # Read the user again: it may have changed while the request body arrived.
    user = await call.service.store.user(call.user.id) or call.user
    if body.password is not UNSET or body.email is not UNSET:
        await check_password(call, user, body.current_password)
    elif body.revoke:
        raise Invalid({"revoke": Detail("revoke_alone")})
    changed = user
    if body.full_name is not UNSET:
        changed = msgspec.structs.replace(changed, full_name=body.full_name)
    if body.email is not UNSET:
        changed = await with_address(call, changed, normal(str(body.email)))
    if body.password is not UNSET:
        check_new(str(body.password))
        hashed = await call.hashing.hash(str(body.password), _who_is_in(call))
        changed = msgspec.structs.replace(changed, password_hash=hashed)
    check_match(call, user.revision)
    if body.password is not UNSET or body.email is not UNSET:
        await check_second_factor(call)
    if await change_account(call, user, changed, revoke=body.revoke):
        await renew_cookie(call, changed)
    if call.mails_links and body.email is not UNSET and changed.email_pending is not None:
        await send_if_possible(call, changed)
    tag(call, user.revision + 1)
    return user_view(changed)


async def check_password(
    call: Call, user: User, said: str | UnsetType, field: str = "current_password"
) -> None:
    """Check the current password, which is that field of the request.

    Raises:
        Invalid: it is missing or incorrect, or the account has none.
        TooMany: too many incorrect ones were tried.
    """
    if user.password_hash is None:
        raise Invalid({"password": Detail("password_elsewhere", provider=user.idp)})
    if said is UNSET:
        raise Invalid({field: Detail("password_needed")})
    email = user.email or ""
    # She is signed in here, so guesses from elsewhere must not keep her from a new password.
    call.limits.was_in(email, call.address)
    with call.limits.trying(email, call.address) as attempt:
        if not await call.hashing.verify(user.password_hash, str(said), _who_is_in(call)):
            attempt.wrong()
            raise Invalid({field: Detail("password_wrong")})


def _who_is_in(call: Call) -> Who:
    """A signed-in user counts as known in every network."""
    return Who(call.user.id, True)
