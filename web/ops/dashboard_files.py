"""The dashboard's files, as Vite built them into `web/dashboard/dist`; without them a page says how
to build them.

Everything is read once, at the start: some ten megabytes, most of it the map's ground. The build
has compressed it. Names of assets contain a hash of their content, so browsers may keep them for
ever.
"""

import html
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

from quart import Quart, Response, request
from werkzeug.exceptions import NotFound as UnknownPath

from protocol.errors import NotFound
from protocol.problems.detail import Detail
from web.http.context import WebSettings
from web.http.problems import MEDIA_TYPE, of_http, of_problem
from web.ops.assets import Asset

BUILT = files("web") / "dashboard" / "dist"
PAGES = files("web") / "pages"
# Below these nobody expects a page.
OF_PROGRAMS = ("/api/", "/ws/", "/assets/")
FOR_EVER = "public, max-age=31536000, immutable"


def install(app: Quart, settings: WebSettings, built: Traversable = BUILT) -> None:
    """`/`, `/assets/…`, and what people see at unknown addresses; `built` is the folder that the
    build fills."""
    index, assets = _read(built)
    page = index or _how_to_build(settings)
    policy = content_policy(settings)

    async def first_page() -> Response:
        response = page.answer(request)
        response.headers["Content-Security-Policy"] = policy
        response.headers["Cache-Control"] = "no-cache"
        return response

    async def asset(name: str) -> Response:
        found = assets.get(name)
        if found is None:
            return of_problem(NotFound(Detail("page_file_not_found")))
        response = found.answer(request)
        response.headers["Cache-Control"] = FOR_EVER
        return response

    async def unknown(error: UnknownPath) -> Response:
        """A person who mistyped an address gets the page, which says so; a program the problem."""
        is_page = request.method in ("GET", "HEAD") and not request.path.startswith(OF_PROGRAMS)
        wanted = request.accept_mimetypes.best_match([MEDIA_TYPE, "text/html"])
        if not is_page or wanted != "text/html":
            return of_http(error)
        response = await first_page()
        response.status_code = 404
        return response

    app.register_error_handler(UnknownPath, unknown)
    app.add_url_rule("/", view_func=first_page)
    app.add_url_rule("/assets/<name>", view_func=asset)


def content_policy(settings: WebSettings) -> str:
    """Only Roost's own files: no inline script or style; pictures also from the map's tile
    server."""
    pictures = "'self' data: blob:"
    if settings.map_tiles_url is not None:
        parts = urlsplit(settings.map_tiles_url)
        pictures += f" {parts.scheme}://{parts.netloc.replace('{s}', '*')}"
    return (
        f"default-src 'self'; img-src {pictures}; object-src 'none'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'"
    )


def _read(built: Traversable) -> tuple[Asset | None, dict[str, Asset]]:
    index = built / "index.html"
    if not index.is_file():
        return None, {}
    found = {each.name: each.read_bytes() for each in (built / "assets").iterdir()}
    assets = {
        name: Asset.of(name, content, found.get(f"{name}.gz"))
        for name, content in found.items()
        if not name.endswith(".gz")
    }
    return Asset.of("index.html", index.read_bytes()), assets


def _how_to_build(settings: WebSettings) -> Asset:
    mqtt = settings.mqtt_url or "the broker that this server was given"
    text = (PAGES / "home.html").read_text()
    text = text.replace("{version}", version("roost")).replace("{mqtt}", html.escape(mqtt))
    return Asset.of("home.html", text.encode())
