"""Health, readiness and metrics, for load balancers and operators.

With an address of their own (`--ops`), operators see the metrics and what is wrong there. The
public address then tells only whether the service is ready.
"""

import msgspec
from quart import Quart, Response
from quart_trio import QuartTrio

from protocol import codec
from web.http.context import Context
from web.http.sockets import Sockets
from web.ops.metrics import CONTENT_TYPE, Metrics, ProcessFigures
from web.ops.readiness import Looks, assess


def operators_app() -> QuartTrio:
    """An application for the operators' own address; `install` fills it."""
    return QuartTrio("roost-ops", static_folder=None)


def install(
    app: Quart,
    operators: Quart | None,
    context: Context,
    sockets: Sockets,
    process: ProcessFigures | None,
) -> None:
    """Args:
    operators: the application with the details; None: `app`.
    """
    service = context.service
    metrics = Metrics(service, sockets, context.durations, process)
    looks = Looks(service)

    async def healthz() -> Response:
        """Alive: the event loop runs."""
        return Response("ok\n", content_type="text/plain")

    async def ready(*, detailed: bool) -> Response:
        readiness = await assess(service, looks)
        status = 200 if readiness.status in ("ready", "degraded") else 503
        if not detailed:
            readiness = msgspec.structs.replace(readiness, checks={})
        return Response(codec.encode(readiness), status, content_type="application/json")

    async def readyz() -> Response:
        return await ready(detailed=operators is None)

    async def readyz_in_detail() -> Response:
        return await ready(detailed=True)

    async def metrics_page() -> Response:
        return Response(metrics.page(), content_type=CONTENT_TYPE)

    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
    detailed = operators or app
    detailed.add_url_rule("/metrics", view_func=metrics_page)
    if operators is not None:
        operators.add_url_rule("/healthz", view_func=healthz)
        operators.add_url_rule("/readyz", view_func=readyz_in_detail)
