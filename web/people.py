"""Signing in and up, and one's own account."""

import msgspec
from msgspec import UNSET
from quart import Response

from protocol import codec
from protocol.errors import Forbidden, Invalid, Unauthorized
from protocol.records import User
from protocol.resources import (
    Credentials,
    NewUser,
    Token,
    UserChange,
    UserView,
    user_view,
)
from web.auth import COOKIE, TOKEN_S
from web.routing import Api, Call

api = Api("people")


@api.operation(
    "POST",
    "/login/access-token",
    body=Credentials,
    raw_body=True,
    answer=Token,
    errors=(400, 401, 403, 422),
    public=True,
)
async def login(call: Call) -> Response:
    """Sign in with e-mail and password, as JSON or as a form; sets the cookie."""
    if not call.auth.is_same_origin(call.request):
        raise Forbidden("sign in on our own pages, not on those of others")
    wanted = await _credentials(call)
    # PostgreSQL compares no text with U+0000; nobody has such an address.
    known = "\0" not in wanted.email
    user = await call.house.store.user_by_email(wanted.email) if known else None
    # As long for an unknown address as for a wrong password: nobody learns who has an account.
    hashed = None if user is None else user.password_hash
    matches = await call.hasher.verify(hashed, wanted.password)
    if user is None or not matches:
        raise Unauthorized("the e-mail address or the password is wrong")
    token = call.auth.tokens.issue(user.id)
    response = Response(
        codec.encode(Token(token, TOKEN_S)),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
    response.set_cookie(
        COOKIE,
        token,
        max_age=TOKEN_S,
        httponly=True,
        samesite="Lax",
        secure=(call.settings.public_url or "").startswith("https:"),
    )
    return response


async def _credentials(call: Call) -> Credentials:
    kind = call.request.mimetype
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await call.request.form
        missing = [name for name in ("username", "password") if name not in form]
        if missing:
            raise Invalid(dict.fromkeys(missing, "is required"))
        return Credentials(form["username"], form["password"])
    return codec.decode_body(await call.data(), Credentials)


@api.operation(
    "POST", "/users", body=NewUser, answer=UserView, status=201, errors=(403, 409), public=True
)
async def sign_up(call: Call, body: NewUser) -> UserView:
    """Create an account, unless the operator closed signing up."""
    if not call.settings.signup_open:
        raise Forbidden("new accounts are made by the operator here")
    user = User(
        id=call.house.ids.uuid(),
        email=body.email,
        full_name=body.full_name,
        password_hash=await call.hasher.hash(body.password),
        created_us=call.house.clock.now_us(),
    )
    await call.house.store.add_user(user)
    return user_view(user)


@api.operation("GET", "/users/me", answer=UserView)
async def who_am_i(call: Call) -> UserView:
    """One's own account."""
    return user_view(call.user)


@api.operation("PATCH", "/users/me", body=UserChange, answer=UserView, errors=(409,))
async def change_me(call: Call, body: UserChange) -> UserView:
    """Change one's name, e-mail address or password."""
    # As it is now: the request's own copy is as old as its body took to arrive.
    user = await call.house.store.user(call.user.id) or call.user
    if body.password is not UNSET or body.email is not UNSET:
        current = body.current_password
        if current is UNSET:
            raise Invalid({"current_password": "is required for this change"})
        if not await call.hasher.verify(user.password_hash, str(current)):
            raise Invalid({"current_password": "is wrong"})
    if body.full_name is not UNSET:
        user = msgspec.structs.replace(user, full_name=body.full_name)
    if body.email is not UNSET:
        user = msgspec.structs.replace(user, email=body.email)
    if body.password is not UNSET:
        hashed = await call.hasher.hash(str(body.password))
        user = msgspec.structs.replace(user, password_hash=hashed)
    await call.house.store.update_user(user)
    return user_view(user)
