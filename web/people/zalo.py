"""The REST call that signs in with Zalo."""

from contextlib import suppress

from quart import Response

from actors.ports.identity import Identity, IdentityProvider
from protocol.errors import Conflict, Forbidden, Unauthorized
from protocol.people.user import User
from protocol.people.views import Token, ZaloCode
from protocol.problems.detail import Detail
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.routing import Api
from web.people.sign_in import begin_session

api = Api("people")

IDP = "zalo"


@api.operation(
    "POST",
    "/zalo-user-management/callback",
    body=Json(ZaloCode),
    answer=Json(Token),
    errors=(401, 403, 502),
    auth=Auth.PUBLIC,
)
async def zalo_callback(call: Call, body: ZaloCode) -> Response:
    """Sign in with the code from Zalo's page. The first sign-in creates the account."""
    if not call.auth.is_same_origin(call.request):
        raise Forbidden(Detail("sign_in_from_elsewhere"))
    user = await _user(call, await identified(call, body))
    return await begin_session(call, user, user.password_hash)


async def identified(call: Call, body: ZaloCode) -> Identity:
    """The person whom Zalo names for this code.

    Raises:
        Forbidden: this server has no sign-in with Zalo.
        Unauthorized: Zalo does not accept the code.
        TooMany: too many wrong ones were tried from this network.
    """
    provider: IdentityProvider | None = call.service.zalo
    if provider is None:
        raise Forbidden(Detail("zalo_not_set_up"))
    with call.limits.trying(None, call.address) as attempt:
        try:
            return await provider.identify(body.code, body.code_verifier)
        except Unauthorized:
            attempt.wrong()
            raise


async def _user(call: Call, identity: Identity) -> User:
    store = call.service.store
    found = await store.user_by_subject(IDP, identity.subject)
    if found is not None:
        return found
    if not call.settings.signup_open:
        raise Forbidden(Detail("sign_up_closed"))
    made = User(
        id=call.service.ids.uuid(),
        email=None,
        full_name=identity.name,
        password_hash=None,
        created_us=call.service.clock.now_us(),
        idp=IDP,
        subject=identity.subject,
    )
    with suppress(Conflict):  # another request with the same identity created it first
        await store.add_user(made)
        return made
    found = await store.user_by_subject(IDP, identity.subject)
    if found is None:
        raise Unauthorized(Detail("account_deleted"))
    return found
