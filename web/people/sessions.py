"""REST calls for sessions, signing out, WebSocket tickets and the audit log."""

from quart import Response

from protocol.people.people import Action, AuditView, SessionView, Ticket, audit_view, session_view
from protocol.rest.listing import AUDIT, CREATED, SESSIONS, Listing
from protocol.rest.shapes import Page
from web.http.auth import COOKIE
from web.http.context import Call
from web.http.listing import SearchQuery, listed
from web.http.missing import missing
from web.http.operation import Auth, CsvFile, Json
from web.http.routing import Api
from web.people.activity import note, note_soon
from web.people.activity_export import PAGE, exported
from web.people.codes import check_second_factor

api = Api("people")


class AuditQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a subject or address."""

    action: Action | None = None


@api.operation("POST", "/logout", status=204, auth=Auth.SESSION)
async def logout(call: Call) -> Response:
    """Sign out: the token stops working, its sockets are closed, the cookie is deleted."""
    if await call.service.sessions.end(call.user.id, [call.principal.id]):
        await note(call, call.user.id, "signed_out")
    response = Response(b"", 204)
    response.headers.pop("Content-Type", None)
    response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=call.is_https)
    return response


@api.operation("POST", "/login/ws-ticket", answer=Json(Ticket), status=201, auth=Auth.SESSION)
async def ws_ticket(call: Call) -> Ticket:
    """Create a ticket that opens one WebSocket within 30 s, for clients that send no headers."""
    ticket, kept, until_us = call.auth.new_ticket()
    await call.service.store.add_ticket(kept, call.principal.id, until_us)
    call.headers["Cache-Control"] = "no-store"
    return Ticket(ticket)


@api.operation(
    "GET", "/sessions", query=SearchQuery, answer=Json(Page[SessionView]), auth=Auth.SESSION
)
async def list_sessions(call: Call, query: SearchQuery) -> Page[SessionView]:
    """List your sessions, newest first; `sort` takes expires_at and address."""
    current = call.principal.id
    return await listed(call, SESSIONS, query, lambda each: session_view(each, current))


@api.operation("DELETE", "/sessions/<session_id>", status=204, errors=(404,), auth=Auth.SESSION)
async def end_session(call: Call, session_id: str) -> None:
    """End a session: its token stops working, its sockets are closed."""
    if not await call.service.sessions.end(call.user.id, [session_id]):
        raise missing("session_id")
    await note(call, call.user.id, "session_ended", session_id)


@api.operation(
    "GET", "/audit-log", query=AuditQuery, answer=Json(Page[AuditView]), auth=Auth.SESSION
)
async def list_audit(call: Call, query: AuditQuery) -> Page[AuditView]:
    """List sign-ins and changes, newest first; kept for 90 days, or as the operator set."""
    return await listed(call, AUDIT, query, audit_view, action=query.action)


@api.operation("GET", "/audit-log/export", answer=CsvFile(), auth=Auth.SESSION, asks_code=True)
async def export_audit(call: Call) -> Response:
    """Download the whole activity log as CSV, newest first."""
    await check_second_factor(call)
    response = await exported(call, Listing(limit=PAGE, sort=CREATED, descending=True))
    note_soon(call, "activity_exported")
    return response
