"""For operators: health, readiness, metrics, the API's document."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files

import trio
from quart import Quart, Response, redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from actors.runtime.made_once import MadeOnce
from protocol import codec
from web.http.context import Context
from web.http.openapi import document
from web.http.operation import Operation
from web.http.sockets import Sockets
from web.ops.database_look import DatabaseLook
from web.ops.metrics import CONTENT_TYPE, Metrics, ProcessFigures
from web.ops.readiness import assess

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}

PAGES = files("web") / "pages"
_STRICT = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
CSP = {
    "reset.html": _STRICT,
    # Swagger UI sets styles on its elements.
    "docs.html": f"{_STRICT}; style-src 'self' 'unsafe-inline'",
}


def install(
    app: Quart,
    context: Context,
    sockets: Sockets,
    operations: Sequence[Operation],
    process: ProcessFigures | None = None,
) -> None:
    _install_probes(app, context, sockets, process)
    _install_document(app, operations)
    _install_pages(app)


def _install_probes(
    app: Quart, context: Context, sockets: Sockets, process: ProcessFigures | None
) -> None:
    service = context.service
    metrics = Metrics(service, sockets, context.durations, process)
    database = DatabaseLook(service.store, service.supervisor)

    async def healthz() -> Response:
        """Alive: the event loop runs."""
        return Response("ok\n", content_type="text/plain")

    async def readyz() -> Response:
        readiness = await assess(service, database)
        status = 200 if readiness.status in ("ready", "degraded") else 503
        return Response(codec.encode(readiness), status, content_type="application/json")

    async def metrics_page() -> Response:
        return Response(metrics.page(), content_type=CONTENT_TYPE)

    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/metrics", view_func=metrics_page)


def _install_document(app: Quart, operations: Sequence[Operation]) -> None:
    # Some 60 ms of work: in the event loop nothing else would run meanwhile.
    openapi = MadeOnce(lambda: codec.encode(document(operations, version("roost"))))

    async def openapi_json() -> Response:
        return Response(await openapi.get(), content_type="application/json")

    app.add_url_rule("/openapi.json", view_func=openapi_json)


def _install_pages(app: Quart) -> None:
    pages = {page.name: page.read_text() for page in PAGES.iterdir() if page.is_file()}

    async def docs_asset(name: str) -> Response | WerkzeugResponse:
        if name == "init.js":
            return _page(pages, "docs.js")
        if name not in ASSETS:
            return redirect("../docs")
        content = await trio.to_thread.run_sync((files("swagger_ui") / "static" / name).read_bytes)
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(content, headers=headers, content_type=ASSETS[name])

    async def docs() -> Response:
        return _page(pages, "docs.html")

    async def reset() -> Response:
        return _page(pages, "reset.html")

    async def reset_js() -> Response:
        return _page(pages, "reset.js")

    async def home_css() -> Response:
        return _page(pages, "home.css")

    app.add_url_rule("/docs", view_func=docs)
    app.add_url_rule("/docs/<name>", view_func=docs_asset)
    app.add_url_rule("/reset", view_func=reset)
    app.add_url_rule("/reset.js", view_func=reset_js)
    app.add_url_rule("/home.css", view_func=home_css)


def _page(pages: dict[str, str], name: str) -> Response:
    kind = {"html": "text/html", "js": "text/javascript", "css": "text/css"}[name.split(".")[1]]
    response = Response(pages[name], content_type=f"{kind}; charset=utf-8")
    if name in CSP:
        response.headers["Content-Security-Policy"] = CSP[name]
    return response
