"""The composition root: a service on its ports, the web before it, and the order of the end."""

import encodings.idna  # noqa: F401 (else the first look-up of a host would read it from the disk)
import logging
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version

import structlog
import trio
from hypercorn.trio import serve
from quart_trio import QuartTrio

from actors.adapters.http.webhooks import HttpReceivers
from actors.adapters.http.zalo import Zalo, ZaloSettings
from actors.adapters.smtp.mailer import MailSettings, SmtpMailer
from actors.adapters.system.clocks import Argon2Hasher, SystemClock, SystemIds
from actors.due.tidying import keep_tidy
from actors.ingest.bounds import IngestBounds
from actors.leadership import ALONE_BEAT_S
from actors.ports import Ports
from actors.ports.broker import Broker
from actors.ports.broker_backlog import BrokerBacklog
from actors.ports.links import Links
from actors.ports.logins import Logins
from actors.ports.machine import Machine
from actors.ports.media import MediaFiles
from actors.ports.retained import RetainedMessages
from actors.ports.store import Store
from actors.pulse import Pulse
from actors.runtime.loop_lag import Held, LoopLag
from actors.runtime.retry import Pauses
from actors.service import Service, open_service
from protocol.errors import Unavailable, in_words
from protocol.schedule.civil import load_zones
from roost import deadline, logs
from roost.collecting import ShortCollections
from roost.hardening import ServerConfig, harden
from roost.interrupting import room_for
from roost.settings import Bind, Binds, check_binds
from roost.shutdown import run_until_stopped
from web.app import create_app
from web.http.addresses import Addresses
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
FRAME_BYTES_MAX = 64 * 1024
OPS_CONNECTIONS = 64
RESTART_S, RESTART_MAX_S = 0.5, 5.0
# A Ctrl-C may arrive twice: from the terminal, and from a parent process that passes it on.
SAME_SIGNAL_S = 0.5

# Runs beside the service, with the service and the URL that it listens on.
ServeReady = Callable[[Service, str], Awaitable[None]]


class Where:
    """The address of this server: the public URL, or else the one that it listens on, once it
    does."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self._listening: str | None = None

    def listens(self, url: str) -> None:
        self._listening = url

    def __call__(self) -> str:
        """Raises `Unavailable` before the server listens."""
        url = self._public_url or self._listening
        if url is None:
            raise Unavailable("the address of this server is not known yet")
        return url


def make_ports(
    store: Store,
    broker: Broker,
    logins: Logins,
    links: Links,
    files: MediaFiles,
    *,
    webhooks_private: bool,
    zalo: ZaloSettings | None,
    mail: MailSettings | None,
    machine: Machine | None = None,
    backlog: BrokerBacklog | None = None,
    retained: RetainedMessages | None = None,
) -> Ports:
    return Ports(
        store=store,
        broker=broker,
        clock=SystemClock(),
        ids=SystemIds(),
        logins=logins,
        links=links,
        files=files,
        receivers=HttpReceivers(f"roost/{version('roost')}", private=webhooks_private),
        mailer=None if mail is None else SmtpMailer(mail),
        zalo=None if zalo is None else Zalo(zalo),
        machine=machine,
        backlog=backlog,
        retained=retained,
        rng=random.Random(),  # for pauses only: nothing secret comes from it
    )


@asynccontextmanager
async def open_web(
    service: Service, settings: WebSettings, binds: Binds, process: ProcessFigures
) -> AsyncIterator[str]:
    """Serve the service over HTTP while the block runs; yield the URL that it listens on."""
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
        config = _config(binds.http, process.connections)
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


def _config(bind: Bind, connections: Connections) -> ServerConfig:
    config = ServerConfig(connections)
    config.bind = [bind.shown]
    config.graceful_timeout = GRACE_S
    config.keep_alive_timeout = HEAD_WITHIN_S
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


def _report(step: Held) -> None:
    """The real tests fail if one of their services logs this."""
    log.warning(
        "a step held the event loop",
        task=step.task,
        then_at=step.where,
        wall_s=round(step.wall_s, 3),
        cpu_s=round(step.cpu_s, 3),
    )


async def run_until_signal(
    ports: Ports,
    settings: WebSettings,
    binds: Binds,
    where: Where,
    serve_ready: ServeReady,
    bounds: IngestBounds,
    *,
    alone: bool = False,
) -> None:
    """Run the service until SIGTERM or Ctrl-C, then end it in order (`roost.shutdown`).

    A second signal, SIGTERM or Ctrl-C, ends the process at once, with its children. Whatever hangs
    meanwhile, the process ends after `deadline.END_WITHIN_S`.

    Args:
        where: told the URL that it listens on.
        serve_ready: runs beside the service, once it listens.
        alone: no other process can serve the same devices.
        bounds: how much devices and users may send.
    """
    lag = LoopLag(time.perf_counter, time.thread_time, held=_report)
    process = ProcessFigures(lag, logs.dropped, _connections(settings))
    pulse = Pulse(beat_s=ALONE_BEAT_S, is_alone=True) if alone else Pulse()

    def start_beside(beside: trio.Nursery, service: Service, url: str) -> None:
        where.listens(url)
        _keep_in_order(service, settings.audit_days)
        lag.install()
        beside.start_soon(_get_ready, serve_ready, service, url)

    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, signals, stop)
            await run_until_stopped(
                open_service(ports, pulse=pulse, bounds=bounds),
                lambda service: open_web(service, settings, binds, process),
                start_beside,
                stop,
                _ending,
                deadline.part,
            )
            nursery.cancel_scope.cancel()


def _connections(settings: WebSettings) -> Connections:
    return Connections(
        most=room_for(settings.bounds.connections),
        of_address_max=settings.bounds.connections_of_address,
        is_trusted=Addresses(settings.trusted_proxies).is_trusted,
    )


def _keep_in_order(service: Service, audit_days: int) -> None:
    """Housekeeping as long as the service runs."""
    deadline.tell_also(lambda: service.draining.left)
    keep_tidy(
        service.supervisor,
        service.store,
        service.clock,
        service.media,
        service.refusals.limits,
        audit_days,
    )
    ShortCollections().begin()


async def _get_ready(serve_ready: ServeReady, service: Service, url: str) -> None:
    await trio.to_thread.run_sync(load_zones)
    await serve_ready(service, url)


@contextmanager
def _ending() -> Iterator[None]:
    with deadline.for_failures():
        yield
    log.info("stopping")
    deadline.end_within(deadline.END_WITHIN_S, status=0)


async def _listen(signals: AsyncIterator[int], stop: trio.Event) -> None:
    """The first signal ends the service in order; a later one ends the process at once."""
    first_s = None
    async for number in signals:
        stop.set()
        now_s = trio.current_time()
        if first_s is None:
            first_s = now_s
        elif now_s - first_s > SAME_SIGNAL_S:
            log.warning("stopped at once; what is in flight stays with the broker")
            deadline.end_now(128 + number)
