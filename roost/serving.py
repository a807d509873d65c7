"""The composition root: a house on its ports, the web in front of it, and the order of the end."""

import logging
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from actors.adapters.clocks import Argon2Hasher, SystemClock, SystemIds
from actors.house import House, Ports, open_house
from actors.ports import Broker, Logins, Store
from protocol.errors import RoostError
from roost.settings import Bind, check_free
from web.app import create_app
from web.live import Sockets
from web.routing import WebSettings

log = structlog.get_logger("roost")

GRACE_S = 1.5
PING_S = 20.0
FRAME_BYTES_MAX = 64 * 1024
TIDY_EVERY_S = 3600.0


def make_ports(store: Store, broker: Broker, logins: Logins) -> Ports:
    return Ports(
        store=store,
        broker=broker,
        clock=SystemClock(),
        ids=SystemIds(),
        logins=logins,
        rng=random.Random(),  # pauses only: nothing secret comes from it
    )


@asynccontextmanager
async def open_web(house: House, settings: WebSettings, http: Bind) -> AsyncIterator[str]:
    """Serve the house over HTTP while the block runs; gives the URL that it listens on."""
    check_free(http, "HTTP")
    sockets = Sockets()
    app = create_app(house, Argon2Hasher(), settings, sockets)
    config = Config()
    config.bind = [http.shown]
    config.graceful_timeout = GRACE_S
    config.websocket_ping_interval = PING_S
    config.websocket_max_message_size = FRAME_BYTES_MAX
    config.accesslog = None  # a token in a URL reaches no log
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    stop = trio.Event()
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[list[str]]) -> None:
            await serve(app, config, shutdown_trigger=stop.wait, task_status=task_status)

        (url,) = await nursery.start(run)
        try:
            yield url
        finally:
            # First a word to every socket; the server's own end would look like a lost line.
            with trio.CancelScope(shield=True):  # bounded by the two grace times
                await sockets.close_all(GRACE_S)
                stop.set()


async def run_until_signal(
    ports: Ports,
    settings: WebSettings,
    http: Bind,
    serve_ready: Callable[[House, str], Awaitable[None]],
) -> None:
    """Run the service until SIGTERM or Ctrl-C, then drain: sockets, writer, sessions.

    Args:
        serve_ready: runs beside the service, with the house and the URL that it listens on.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with (
            open_house(ports) as house,
            open_web(house, settings, http) as url,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(_tidy, ports.store)
            nursery.start_soon(serve_ready, house, url)
            async for _ in signals:
                log.info("stopping")
                break
            nursery.cancel_scope.cancel()


async def _tidy(store: Store) -> None:
    while True:
        try:
            await store.tidy()
        except RoostError as error:
            log.warning("housekeeping waits", error=str(error))
        await trio.sleep(TIDY_EVERY_S)
