"""The Quart-Trio application: routes, errors, limits. Actors live in the service, not in it."""

from functools import partial
from typing import Any

from quart import Response, request, websocket
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from actors.ports.ids import Hasher
from actors.service import Service
from protocol import codec
from protocol.errors import Problem, Unavailable, Unreadable, Unstorable
from protocol.problems.detail import Detail
from protocol.rest.shapes import ProblemView
from web.api import (
    alarms,
    calendar,
    commands,
    content,
    devices,
    feeds,
    ingest,
    media,
    orders,
    products,
    refusals,
    schedules,
    site,
    stats,
    values,
    webhooks,
)
from web.api.import_budget import Imports
from web.http import middleware, problems
from web.http.addresses import Addresses
from web.http.auth import Auth, Tokens
from web.http.context import Context, WebSettings
from web.http.device_auth import DeviceAuth
from web.http.early_answer import with_an_end
from web.http.limits import Rates
from web.http.long_queries import LongQueries
from web.http.operation import Upload
from web.http.pace import Pace
from web.http.paced_body import PacedConnection
from web.http.routing import PREFIX
from web.http.sockets import Sockets
from web.http.thinking import Thinking
from web.http.upload_places import Uploads
from web.live import devices_socket
from web.ops import dashboard_files, operations, probes
from web.ops.metrics import ProcessFigures
from web.people import (
    account,
    account_export,
    api_keys,
    leaving,
    listeners,
    resetting,
    second_factor,
    sessions,
    verifying,
    zalo,
)
from web.people.hashing import Hashing
from web.people.sign_in_limits import SignInLimits

BODY_BYTES_MAX = 1 << 20
BODY_WITHIN_S = 30
APIS = (
    site.api,
    account.api,
    second_factor.api,
    account_export.api,
    leaving.api,
    sessions.api,
    api_keys.api,
    resetting.api,
    verifying.api,
    listeners.api,
    zalo.api,
    devices.api,
    feeds.api,
    values.api,
    ingest.api,
    refusals.api,
    commands.api,
    schedules.api,
    calendar.api,
    alarms.api,
    media.api,
    content.api,
    webhooks.api,
    products.api,
    orders.api,
    stats.api,
)
UPLOADS = {
    (op.method, PREFIX + op.path)
    for api in APIS
    for op in api.operations
    if isinstance(op.body, Upload)
}


def create_app(
    service: Service,
    hasher: Hasher,
    settings: WebSettings,
    sockets: Sockets | None = None,
    process: ProcessFigures | None = None,
    operators: QuartTrio | None = None,
) -> QuartTrio:
    """The application over a service that is open.

    Args:
        operators: an application that gets the metrics and the details of readiness
            (`web.ops.probes`); None: they are public.
    """
    sockets = sockets or Sockets()
    app = _bare_app()
    context = _context(service, hasher, settings)
    for api in APIS:
        api.install(app, context)
    documented = [op for api in APIS for op in api.operations]
    operations.install(app, context, documented)
    probes.install(app, operators, context, sockets, process)
    dashboard_files.install(app, settings)
    _serve_sockets(app, context, sockets)
    _handle_errors(app)
    is_https = (settings.public_url or "").startswith("https:")
    middleware.install(app, service.ids, settings.cors_origins, is_https=is_https)

    async def wait_turn() -> None:
        await context.pace.wait(context.addresses.network(request))

    app.before_request(wait_turn)
    app.asgi_app = _with_a_path(with_an_end(app.asgi_app))  # type: ignore[method-assign]
    return app


def _bare_app() -> QuartTrio:
    app = QuartTrio("roost", static_folder=None)
    app.asgi_http_class = partial(PacedConnection, UPLOADS)  # type: ignore[assignment]
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.config["BODY_TIMEOUT"] = BODY_WITHIN_S
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # A path with an empty part is none of ours; werkzeug would redirect it, in HTML.
    app.url_map.merge_slashes = False
    return app


def _context(service: Service, hasher: Hasher, settings: WebSettings) -> Context:
    addresses = Addresses(settings.trusted_proxies)
    rates = Rates(settings.requests_per_s)
    auth = Auth(
        Tokens(settings.jwt_secret),
        service.sessions,
        service.store,
        service.clock,
        service.ids,
        addresses,
        settings.public_url,
    )
    return Context(
        service=service,
        auth=auth,
        device_auth=DeviceAuth(service.store, addresses, auth.failed),
        hashing=Hashing(hasher),
        settings=settings,
        uploads=Uploads(),
        limits=SignInLimits(),
        rates=rates,
        addresses=addresses,
        thinking=Thinking(rates.charge),
        queries=LongQueries(),
        imports=Imports(settings.imported_per_hour, settings.imported_bytes_per_hour),
        pace=Pace(settings.requests_per_s_of_address),
    )


def _serve_sockets(app: QuartTrio, context: Context, sockets: Sockets) -> None:
    async def live() -> None:
        await context.pace.wait(context.addresses.network(websocket))
        await devices_socket(context, sockets)

    app.add_websocket("/ws/devices", view_func=live)


def _with_a_path(inner: Any) -> Any:
    """Quart fails before its routes on a request target without a path, such as `GET ?x`."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        has_path = scope.get("path", "/").startswith("/")
        if scope["type"] == "websocket" and not has_path:
            await send({"type": "websocket.close"})
        elif scope["type"] == "http" and not has_path:
            detail = Detail("no_path")
            view = ProblemView(
                title="Malformed request", status=400, detail=str(detail), code=detail.code
            )
            kind = (b"content-type", problems.MEDIA_TYPE.encode())
            await send({"type": "http.response.start", "status": 400, "headers": [kind]})
            await send({"type": "http.response.body", "body": codec.encode(view)})
        else:
            await inner(scope, receive, send)

    return guarded


def _handle_errors(app: QuartTrio) -> None:
    async def problem(error: Problem) -> Response:
        return problems.of_problem(error)

    async def unavailable(error: Unavailable) -> Response:
        return problems.of_unavailable(error)

    async def unstorable(error: Unstorable) -> Response:
        is_read = request.method in ("GET", "HEAD") and not request.args
        if is_read or isinstance(error, Unreadable):
            return problems.of_unreadable(error)
        return problems.of_unstorable(error)

    async def http(error: HTTPException) -> Response:
        return problems.of_http(error)

    async def bug(error: Exception) -> Response:
        return problems.of_bug(error)

    app.register_error_handler(Problem, problem)
    app.register_error_handler(Unavailable, unavailable)
    app.register_error_handler(Unstorable, unstorable)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, bug)
