"""Sessions: where one is signed in, signing out, tickets for sockets, and the audit log."""

from quart import Response

from protocol.errors import NotFound
from protocol.people.people import Action, AuditView, SessionView, Ticket, audit_view, session_view
from protocol.rest.listing import AUDIT, SESSIONS
from protocol.rest.resources import Page
from web.http.auth import COOKIE
from web.http.context import Call
from web.http.listing import SearchQuery, listed
from web.http.routing import Api
from web.people.sign_in import note

api = Api("people")


class AuditQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a subject or address."""

    action: Action | None = None


@api.operation("POST", "/logout", status=204, account=True)
async def logout(call: Call) -> Response:
    """End this session: its token stops working, its sockets close, the cookie goes."""
    if await call.service.sessions.end(call.user.id, [call.principal.id]):
        await note(call, call.user.id, "signed_out")
    response = Response(b"", 204)
    response.headers.pop("Content-Type", None)
    response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=call.is_https)
    return response


@api.operation("POST", "/login/ws-ticket", answer=Ticket, status=201, account=True)
async def ws_ticket(call: Call) -> Ticket:
    """A ticket that opens one WebSocket within 30 s, for clients that can send no header."""
    ticket, kept, until_us = call.auth.new_ticket()
    await call.service.store.add_ticket(kept, call.principal.id, until_us)
    call.headers["Cache-Control"] = "no-store"
    return Ticket(ticket)


@api.operation("GET", "/sessions", query=SearchQuery, answer=Page[SessionView], account=True)
async def list_sessions(call: Call, query: SearchQuery) -> Page[SessionView]:
    """Where one is signed in, the newest first; or sorted by expires_at or address."""
    current = call.principal.id
    return await listed(call, SESSIONS, query, lambda each: session_view(each, current))


@api.operation("DELETE", "/sessions/<session_id>", status=204, errors=(404,), account=True)
async def end_session(call: Call, session_id: str) -> None:
    """End one of one's sessions: its token stops working, its sockets close."""
    if not await call.service.sessions.end(call.user.id, [session_id]):
        raise NotFound("there is no such session")
    await note(call, call.user.id, "session_ended", session_id)


@api.operation("GET", "/audit-log", query=AuditQuery, answer=Page[AuditView], account=True)
async def list_audit(call: Call, query: AuditQuery) -> Page[AuditView]:
    """Sign-ins, and changes of credentials and devices, the newest first; kept for 90 days."""
    return await listed(call, AUDIT, query, audit_view, action=query.action)
