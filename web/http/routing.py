"""From handlers to routes and to the OpenAPI document: one declaration for both.

    @api.operation("POST", "/devices", body=Json(NewDevice), answer=Json(DeviceCreated), status=201)
    async def add_device(call: Call, body: NewDevice) -> DeviceCreated:
        '''Register a device.'''

A handler gets decoded Structs and returns one. Authentication, body limits, decoding and encoding
are done here.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
import trio
from quart import Quart, Request, Response, request
from werkzeug.routing import BaseConverter, Map

from protocol import codec
from protocol.errors import (
    Busy,
    DiskFull,
    Forbidden,
    Outdated,
    PreconditionFailed,
    Unavailable,
)
from protocol.ids import is_uuid
from protocol.people.access import WRITE, ApiKey
from protocol.problems.detail import Detail
from protocol.records import MqttLogin
from protocol.rest.shapes import Page
from web.http.auth import Principal
from web.http.connections import known
from web.http.context import Call, Context
from web.http.missing import missing
from web.http.operation import Auth, Json, Operation
from web.http.query import check_without_query, decode_query

log = structlog.get_logger("roost.web")

T = TypeVar("T")

PREFIX = "/api/v1"
SIGNATURE = "signature"  # the query parameter of a signed link
# A purge of a long history may take ten minutes; everything else takes seconds at most.
WORK_WITHIN_S = 660.0
# How often a change is retried because of concurrent ones.
AGAIN_MAX = 5


class Api:
    """Collects operations; `install` makes them routes of an app."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def operation(
        self, method: str, path: str, **options: Any
    ) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
        def add(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            self.operations.append(
                Operation(method=method, path=path, handler=handler, tag=self.tag, **options)
            )
            return handler

        return add

    def install(self, app: Quart, context: Context) -> None:
        app.url_map.converters["besides"] = Besides
        for operation in self.operations:
            app.add_url_rule(
                PREFIX + self._rule(operation.path),
                endpoint=f"{operation.method} {operation.path}",
                view_func=_view(operation, context),
                methods=[operation.method],
                strict_slashes=False,
            )

    def _rule(self, path: str) -> str:
        """The path; its last `<id>` excludes the words that other paths have in its place."""
        before, _, last = path.rpartition("/")
        if not last.startswith("<"):
            return path
        beside = (o.path.rpartition("/") for o in self.operations)
        words = sorted({w for b, _, w in beside if b == before and w and not w.startswith("<")})
        return f"{before}/<besides({', '.join(words)}):{last[1:]}" if words else path


class Besides(BaseConverter):
    """A part of a path that excludes some words, which have methods and answers of their own."""

    def __init__(self, url_map: Map, *words: str) -> None:
        super().__init__(url_map)
        self.regex = f"(?!(?:{'|'.join(map(re.escape, words))})$)[^/]+"


def _view(operation: Operation, context: Context) -> Callable[..., Awaitable[Response]]:
    answered = _answering(operation, context)

    async def view(**path: str) -> Response:
        began_s = trio.current_time()
        try:
            return await answered(**path)
        finally:
            context.durations[operation.name].add(trio.current_time() - began_s)

    return view


def _answering(operation: Operation, context: Context) -> Callable[..., Awaitable[Response]]:
    async def view(**path: str) -> Response:
        principal = None
        by_link = operation.auth is Auth.LINK and SIGNATURE in request.args
        login = None
        if operation.auth is Auth.DEVICE:
            login = await context.device_auth.login_of(request)
        elif operation.auth is not Auth.PUBLIC and not by_link:
            principal = await context.auth.asker_of_request(request)
        if principal is not None and principal.key is not None:
            _check_scope(operation, principal.key)
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if principal is not None or login is not None:
            known(asked.scope)
        who = _who(principal, login) or context.addresses.network(asked)
        context.rates.check(who)
        if operation.adds and not context.service.has_room():
            raise DiskFull(Detail("disk_full"), retry_after_s=60)
        if login is None:  # a device names a feed by its key
            path = {name: value.lower() for name, value in path.items()}
            for name, value in path.items():
                if not is_uuid(value):
                    raise missing(name)
        call = Call(context, asked, principal, login)
        arguments: dict[str, Any] = dict(path)
        if operation.query is None:
            check_without_query(call.request)
        else:
            arguments["query"] = decode_query(operation.query, call.request)
        if isinstance(operation.body, Json):
            arguments["body"] = codec.decode_body(await call.data(), operation.body.shape)
        answer = await _handled(operation, call, arguments)
        if isinstance(answer, Page):
            context.rates.charge_items(who, len(answer.items))
        if by_link:
            known(asked.scope)
        if isinstance(answer, Response):
            return answer
        content = b"" if answer is None else codec.encode(answer)
        kind = None if answer is None else "application/json"
        status = call.status or operation.status
        return Response(content, status, call.headers, content_type=kind)

    return view


def _who(principal: Principal | None, login: MqttLogin | None) -> str | None:
    """Whose requests are counted together."""
    if principal is not None:
        return principal.user.id
    return None if login is None else login.username


def _check_scope(operation: Operation, key: ApiKey) -> None:
    """Raises `Forbidden` if the key may not do this."""
    if operation.auth is Auth.SESSION:
        raise Forbidden(Detail("api_key_on_account"))
    if operation.method != "GET" and key.scope != WRITE:
        raise Forbidden(Detail("api_key_read_only"))


async def _handled(operation: Operation, call: Call, arguments: dict[str, Any]) -> Any:
    """Run the handler. A change is not cancelled halfway when the client hangs up."""
    if operation.method == "GET" or operation.reads_its_body:
        return await operation.handler(call, **arguments)
    with trio.move_on_after(WORK_WITHIN_S, shield=True):
        return await _changed(operation, call, arguments)
    raise Busy(Detail("request_timed_out"))


async def _changed(operation: Operation, call: Call, arguments: dict[str, Any]) -> Any:
    """Run a handler that changes something. After a concurrent change it reads the object again,
    unless the client named the version that it wants to change.

    Raises:
        PreconditionFailed: the client named a version.
        Outdated: concurrent changes happen again and again.
        Unavailable: whether it was done is unknown; everybody who would have been told checks.
    """
    for _ in range(AGAIN_MAX):
        try:
            return await operation.handler(call, **arguments)
        except Unavailable:
            if call.has_user:
                call.service.devices.doubt(call.user.id)
            raise
        except Outdated:
            if "If-Match" in call.request.headers:
                raise PreconditionFailed(Detail("outdated")) from None
            log.debug("changed at the same time", operation=operation.path)
    raise Outdated
