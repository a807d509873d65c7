"""REST calls for API keys, with which programs act for a user."""

import msgspec

from protocol.errors import Invalid
from protocol.people.access import (
    ApiKey,
    ApiKeyCreated,
    ApiKeyView,
    NewApiKey,
    Scope,
    kept_of,
    key_view,
    new_key,
)
from protocol.problems.detail import Detail
from protocol.rest.listing import API_KEYS
from protocol.rest.shapes import Page
from web.api.spans import instant
from web.http.context import Call
from web.http.listing import SearchQuery, listed
from web.http.missing import missing
from web.http.operation import Auth, Json
from web.http.routing import Api
from web.people.activity import note

api = Api("people")


class KeysQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a name or prefix."""

    scope: Scope | None = None


@api.operation(
    "POST",
    "/api-keys",
    body=Json(NewApiKey),
    answer=Json(ApiKeyCreated),
    status=201,
    errors=(409,),
    auth=Auth.SESSION,
)
async def add_api_key(call: Call, body: NewApiKey) -> ApiKeyCreated:
    """Create an API key. It is accepted wherever a token is, and shown in this response only."""
    now_us = call.service.clock.now_us()
    expires_us = instant("expires_at", body.expires_at)
    if expires_us is not None and expires_us <= now_us:
        raise Invalid({"expires_at": Detail("not_future")})
    key_id = call.service.ids.uuid()
    prefix = call.service.ids.uuid().replace("-", "")[:8]
    key = new_key(prefix, call.service.ids.secret())
    made = ApiKey(
        id=key_id,
        user_id=call.user.id,
        name=body.name,
        prefix=prefix,
        sha256=kept_of(key),
        scope=body.scope,
        created_us=now_us,
        expires_us=expires_us,
    )
    added = await call.service.store.add_api_key(made)
    await note(call, call.user.id, "api_key_added", body.name)
    call.headers["Cache-Control"] = "no-store"
    return ApiKeyCreated(**msgspec.structs.asdict(key_view(added)), key=key)


@api.operation(
    "GET", "/api-keys", query=KeysQuery, answer=Json(Page[ApiKeyView]), auth=Auth.SESSION
)
async def list_api_keys(call: Call, query: KeysQuery) -> Page[ApiKeyView]:
    """List your API keys, oldest first, without their secrets."""
    return await listed(call, API_KEYS, query, key_view, scope=query.scope)


@api.operation("DELETE", "/api-keys/<key_id>", status=204, errors=(404,), auth=Auth.SESSION)
async def delete_api_key(call: Call, key_id: str) -> None:
    """Delete an API key. It stops working at once, and its sockets are closed."""
    if not await call.service.store.delete_api_key(call.user.id, key_id):
        raise missing("key_id")
    call.service.sessions.invalidate(key_id)
    await note(call, call.user.id, "api_key_deleted", key_id)
