"""The API's document and the pages about it, the page of reset links, and whom to tell of a
vulnerability."""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from importlib.resources import files

from quart import Quart, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from actors.runtime.made_once import MadeOnce
from protocol import codec
from protocol.rest.charts import DAY_US
from protocol.times import format_us
from web.http.context import Context
from web.http.openapi import document
from web.http.operation import Operation
from web.ops.assets import Asset

ASSETS = (
    *("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"),
    "favicon-32x32.png",
)

PAGES = files("web") / "pages"
SECURITY_TXT = "/.well-known/security.txt"
SECURITY_TXT_DAYS = 90  # RFC 9116 §2.5.5: less than a year
_STRICT = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
CSP = {
    "reset.html": _STRICT,
    # Swagger UI sets styles on its elements.
    "docs.html": f"{_STRICT}; style-src 'self' 'unsafe-inline'",
}


def install(app: Quart, context: Context, operations: Sequence[Operation]) -> None:
    _install_document(app, operations)
    _install_pages(app)
    _install_security_txt(app, context)


def _install_document(app: Quart, operations: Sequence[Operation]) -> None:
    # Some 60 ms of work: in the event loop nothing else would run meanwhile.
    def make() -> Asset:
        return Asset.of("openapi.json", codec.encode(document(operations, version("roost"))))

    openapi = MadeOnce(make)

    async def openapi_json() -> Response:
        return (await openapi.get()).answer(request)

    app.add_url_rule("/openapi.json", view_func=openapi_json)


def _install_pages(app: Quart) -> None:
    pages = {
        page.name: Asset.of(page.name, page.read_bytes())
        for page in PAGES.iterdir()
        if page.is_file()
    }
    assets = {name: MadeOnce(partial(_asset, name)) for name in ASSETS}

    async def docs_asset(name: str) -> Response | WerkzeugResponse:
        if name == "init.js":
            return _page(pages, "docs.js")
        if name not in ASSETS:
            return redirect("../docs")
        response = (await assets[name].get()).answer(request)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response

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


def _asset(name: str) -> Asset:
    return Asset.of(name, (files("swagger_ui") / "static" / name).read_bytes())


def _page(pages: dict[str, Asset], name: str) -> Response:
    response = pages[name].answer(request)
    if name in CSP:
        response.headers["Content-Security-Policy"] = CSP[name]
    return response


def _install_security_txt(app: Quart, context: Context) -> None:
    """RFC 9116, if the operator named a contact."""
    contact, url = context.settings.security_contact, context.settings.public_url
    if contact is None:
        return

    async def security_txt() -> Response:
        expires_us = context.service.clock.now_us() + SECURITY_TXT_DAYS * DAY_US
        lines = [f"Contact: {contact}", f"Expires: {format_us(expires_us)[:10]}T00:00:00Z"]
        if url is not None:
            lines.append(f"Canonical: {url}{SECURITY_TXT}")
        return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")

    app.add_url_rule(SECURITY_TXT, view_func=security_txt)
