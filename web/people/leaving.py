"""The REST call that deletes one's own account."""

from msgspec import UNSET
from quart import Response

from protocol.errors import Forbidden, Invalid
from protocol.people.user import User
from protocol.people.views import AccountDeletion, ZaloCode
from protocol.problems.detail import Detail
from web.http.auth import COOKIE
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.routing import Api
from web.people import known_browsers
from web.people.account import check_password
from web.people.codes import check_second_factor
from web.people.zalo import IDP, identified

api = Api("people")


@api.operation(
    "DELETE",
    "/users/me",
    body=Json(AccountDeletion),
    status=202,
    errors=(403, 502),
    auth=Auth.SESSION,
    asks_code=True,
)
async def delete_me(call: Call, body: AccountDeletion) -> Response:
    """Delete your account with everything that belongs to it.

    It is locked at once; its devices, readings and media are deleted soon after. This cannot be
    undone.
    """
    user = await call.service.store.user(call.user.id) or call.user
    if user.idp == IDP:
        await _check_person(call, user, body)
    else:
        await check_password(call, user, body.password, "password")
    await check_second_factor(call)
    now_us = call.service.clock.now_us()
    await call.service.changes.disable_account(user.id, now_us, erase=True)
    response = Response(b"", 202)
    response.headers.pop("Content-Type", None)
    for name in (COOKIE, known_browsers.COOKIE):
        response.delete_cookie(name, httponly=True, samesite="Lax", secure=call.is_https)
    return response


async def _check_person(call: Call, user: User, body: AccountDeletion) -> None:
    """Check a sign-in that was made just for this.

    Raises:
        Invalid: there is none.
        Forbidden: it is somebody else's.
    """
    if body.code is UNSET:
        raise Invalid({"code": Detail("zalo_needed")})
    identity = await identified(call, ZaloCode(str(body.code), body.code_verifier))
    if identity.subject != user.subject:
        raise Forbidden(Detail("zalo_other_person"))
