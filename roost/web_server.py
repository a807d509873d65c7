"""The web server: hypercorn before the application, and before that of the operators."""

import logging
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio
from hypercorn.trio import serve
from quart_trio import QuartTrio

from actors.adapters.system.clocks import Argon2Hasher
from actors.runtime.retry import Pauses
from actors.service import Service
from protocol.errors import in_words
from roost.hardening import ServerConfig, harden
from roost.settings import Bind, Binds, check_binds
from web.app import create_app
from web.http.connections import Connections
from web.http.context import WebSettings
from web.http.sockets import Sockets
from web.ops.metrics import ProcessFigures
from web.ops.probes import operators_app

log = structlog.get_logger("roost")

GRACE_S = 1.5
# After its grace time the web server is cancelled.
CANCELLED_WITHIN_S = 0.5
PING_S = 20.0
# From the start of a connection, or the end of an answer, to the end of a request's head.
HEAD_WITHIN_S = 5
HANDSHAKE_WITHIN_S = 10
FRAME_BYTES_MAX = 64 * 1024
OPS_CONNECTIONS = 64
RESTART_S, RESTART_MAX_S = 0.5, 5.0


@asynccontextmanager
async def open_web(
    service: Service,
    settings: WebSettings,
    binds: Binds,
    process: ProcessFigures,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve the service over HTTP while the block runs; yield the URL that it listens on.

    Args:
        tls: for people; the operators' address is without TLS.
    """
    await check_binds(binds)
    harden()
    sockets = Sockets()
    operators = None if binds.ops is None else operators_app()
    app = create_app(service, Argon2Hasher(), settings, sockets, process, operators)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        if operators is not None and binds.ops is not None:
            few = Connections(
                most=OPS_CONNECTIONS, of_address_max=OPS_CONNECTIONS, is_trusted=lambda text: False
            )
            (ops_url,) = await nursery.start(_serve_again, operators, _config(binds.ops, few), stop)
            log.info("operators' address", url=ops_url)
        config = _config(binds.http, process.connections, tls)
        (url,) = await nursery.start(_serve_again, app, config, stop)
        try:
            yield url
        finally:
            # First close every socket in order; the server's own end would look like a lost
            # connection.
            with trio.CancelScope(shield=True):  # bounded by GRACE_S
                await sockets.close_all(GRACE_S)
                stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + GRACE_S + CANCELLED_WITHIN_S


def _config(
    bind: Bind, connections: Connections, tls: ssl.SSLContext | None = None
) -> ServerConfig:
    config = ServerConfig(connections, tls)
    config.bind = [bind.shown]
    config.graceful_timeout = GRACE_S
    config.keep_alive_timeout = HEAD_WITHIN_S
    config.ssl_handshake_timeout = HANDSHAKE_WITHIN_S
    config.websocket_ping_interval = PING_S
    config.websocket_max_message_size = FRAME_BYTES_MAX
    config.accesslog = None  # a token in a URL must not reach a log
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    return config


class _Bound(trio.TaskStatus[list[str]]):
    """Reports the first start only, and keeps its address for the next one."""

    def __init__(self, first: trio.TaskStatus[list[str]], config: ServerConfig) -> None:
        self.is_bound = False
        self._first = first
        self._config = config

    def started(self, value: list[str] | None = None) -> None:
        if not self.is_bound and value:
            self.is_bound = True
            self._config.bind = [value[0].partition("//")[2]]
            self._first.started(value)


async def _serve_again(
    app: QuartTrio,
    config: ServerConfig,
    stop: trio.Event,
    task_status: trio.TaskStatus[list[str]],
) -> None:
    """Serve until stopped. An error of one connection may end hypercorn's `serve` (its #225). Then
    it starts again on the same address, for ever and with growing pauses; the actors continue."""
    bound = _Bound(task_status, config)
    pauses = Pauses(RESTART_S, RESTART_MAX_S, random.Random())
    while True:
        since_s = trio.current_time()
        try:
            return await serve(app, config, shutdown_trigger=stop.wait, task_status=bound)
        except Exception as error:
            if not bound.is_bound:
                raise
            log.error("web server failed", error=in_words(error), exc_info=error)
        await trio.sleep(pauses.next_s(trio.current_time() - since_s))
