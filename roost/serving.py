"""The composition root: a service on its ports, the web before it, and the order of the end."""

import encodings.idna  # noqa: F401 (else the first look-up of a host would read it from the disk)
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

import structlog
import trio

from actors.adapters.http.webhooks import HttpReceivers
from actors.adapters.http.zalo import Zalo, ZaloSettings
from actors.adapters.smtp.mailer import MailSettings, SmtpMailer
from actors.adapters.system.clocks import SystemClock, SystemIds
from actors.due.tidying import keep_tidy
from actors.ingest.bounds import IngestBounds
from actors.leadership import ALONE_BEAT_S
from actors.ports import Ports
from actors.ports.broker import Broker
from actors.ports.broker_backlog import BrokerBacklog
from actors.ports.broker_health import BrokerHealth
from actors.ports.links import Links
from actors.ports.logins import Logins
from actors.ports.machine import Machine
from actors.ports.media import MediaFiles
from actors.ports.retained import RetainedMessages
from actors.ports.store import Store
from actors.pulse import Pulse
from actors.runtime.loop_lag import Held, LoopLag
from actors.service import Service, open_service
from protocol.errors import Unavailable
from protocol.people.passwords import common
from protocol.schedule.civil import load_zones
from roost import deadline, logs
from roost.collecting import ShortCollections
from roost.interrupting import room_for
from roost.settings import Binds
from roost.shutdown import run_until_stopped
from roost.tls.certificates import Certificates
from roost.web_server import open_web
from web.http.addresses import Addresses
from web.http.connections import Connections
from web.http.context import WebSettings
from web.ops.metrics import ProcessFigures

log = structlog.get_logger("roost")

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
    broker_health: BrokerHealth | None = None,
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
        broker_health=broker_health,
        rng=random.Random(),  # for pauses only: nothing secret comes from it
    )


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
    certificates: Certificates | None = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C, then end it in order (`roost.shutdown`).

    A second signal, SIGTERM or Ctrl-C, ends the process at once, with its children. Whatever hangs
    meanwhile, the process ends after `deadline.END_WITHIN_S`.

    Args:
        where: told the URL that it listens on.
        serve_ready: runs beside the service, once it listens.
        alone: no other process can serve the same devices.
        bounds: how much devices and users may send.
        certificates: None: without TLS.
    """
    lag = LoopLag(time.perf_counter, time.thread_time, held=_report)
    process = ProcessFigures(lag, logs.dropped, _connections(settings), certificates)
    pulse = Pulse(beat_s=ALONE_BEAT_S, is_alone=True) if alone else Pulse()

    def start_beside(beside: trio.Nursery, service: Service, url: str) -> None:
        where.listens(url)
        _keep_in_order(service, settings)
        lag.install()
        if certificates is not None:
            _keep_current(service, certificates)
        beside.start_soon(_get_ready, serve_ready, service, url)

    tls = None if certificates is None else certificates.context()
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, signals, stop)
            await run_until_stopped(
                open_service(ports, pulse=pulse, bounds=bounds),
                lambda service: open_web(service, settings, binds, process, tls),
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


def _keep_in_order(service: Service, settings: WebSettings) -> None:
    """Housekeeping as long as the service runs."""
    deadline.tell_also(lambda: service.draining.left)
    keep_tidy(
        service.supervisor,
        service.store,
        service.clock,
        service.media,
        service.refusals.limits,
        settings.audit_days,
        settings.minute_sums_days,
    )
    ShortCollections().begin()


def _keep_current(service: Service, certificates: Certificates) -> None:
    service.supervisor.health.include(lambda: certificates.checks(service.clock.now_us()))
    service.supervisor.run_essential("certificates", certificates.watch)


async def _get_ready(serve_ready: ServeReady, service: Service, url: str) -> None:
    await trio.to_thread.run_sync(load_zones)
    await trio.to_thread.run_sync(common)
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
