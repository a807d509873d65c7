"""`roost up`: everything on this machine, from a data directory: database, broker, service."""

import random
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import structlog
import trio

from actors.adapters.disk.media_files import open_media_files
from actors.adapters.http.zalo import ZaloSettings
from actors.adapters.mqtt.broker import MqttBroker
from actors.adapters.mqtt.plans import partition_plans
from actors.adapters.nats.auth_callout import NatsLogins, open_logins
from actors.adapters.nats.client_ids import CLIENT_IDS_MAX
from actors.adapters.nats.subscription_shares import SHARE
from actors.adapters.postgres.store import PostgresStore, open_store
from actors.adapters.smtp.mailer import MailSettings
from actors.adapters.system.clocks import SystemClock
from actors.ingest.bounds import IngestBounds
from actors.media.signed_urls import MediaLinks
from actors.service import Service
from protocol.errors import SettingsError, in_words
from roost import deadline
from roost.demo import show
from roost.embedded import data_dir
from roost.embedded.binary_sums import differing, programs
from roost.embedded.broker import (
    CONNECTIONS_MAX,
    MQTT_VERSION,
    SUBSCRIPTIONS_MAX,
    Doors,
    EmbeddedBroker,
)
from roost.embedded.broker_config import PARTITIONS
from roost.embedded.broker_log import read_refusals
from roost.embedded.broker_store import bound_store, look, size_of
from roost.embedded.child import Keeper
from roost.embedded.disk import Disk, check_room, used_bytes
from roost.embedded.postgres import EmbeddedPostgres
from roost.embedded.server_log import keep_short
from roost.embedded.watchdog import PATIENCE_S, Probes, Watchdog, Which
from roost.migrating import migrated
from roost.mqtt_options import MqttSettings
from roost.serving import Where, make_ports, run_until_signal
from roost.settings import Bind, Binds, check_binds, check_free
from roost.shutdown import CONNECTIONS, Closing
from roost.sql_watch import watch_readers
from roost.tls.certificates import Certificates, TlsFiles, read_certificates
from web.http.context import WebSettings

log = structlog.get_logger("roost")

# Home Assistant connects with nothing but MQTT 5 from its version 2027.1 on.
SPEAKS = (
    f"mqtt   speaks MQTT {MQTT_VERSION} only; clients that need MQTT 5, as Home Assistant does from"
    " 2027.1 on, connect through a Mosquitto of their own (see Settings)"
)


class UpSettings(msgspec.Struct, frozen=True, kw_only=True):
    binds: Binds
    mqtt: MqttSettings
    tls: TlsFiles | None = None
    sql: Bind | None = None
    mqtt_connections: int = CONNECTIONS_MAX
    data_dir: Path
    listener_clients_max: int = CLIENT_IDS_MAX
    subscriptions_max: int = SUBSCRIPTIONS_MAX
    subscriptions_of_user: int = SHARE
    web: WebSettings
    broker_bytes_max: int | None = None
    zalo: ZaloSettings | None = None
    mail: MailSettings | None = None
    ingest: IngestBounds = IngestBounds()
    demo: bool = False
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """A data directory, its servers, and their keepers."""

    path: Path
    secrets: data_dir.Secrets
    postgres: EmbeddedPostgres
    broker: EmbeddedBroker
    disk: Disk
    keepers: dict[Which, Keeper]
    rng: random.Random
    certificates: Certificates | None


async def up(settings: UpSettings) -> None:
    """Run until SIGTERM or Ctrl-C. Raises `SettingsError` for settings that cannot work."""
    await check_binds(settings.binds)  # before servers are started in vain
    if settings.sql is not None:
        await check_free(settings.sql, "SQL")
    certificates = await read_certificates(settings.tls)
    with data_dir.locked(settings.data_dir) as path:
        check_room(path)
        machine = _machine(settings, path, certificates)
        async with trio.open_nursery() as servers:
            async with trio.open_nursery() as starting:
                for keeper in machine.keepers.values():
                    starting.start_soon(_start, servers, keeper)
            connected = open_store(machine.postgres.url)
            async with Closing(connected, CONNECTIONS, deadline.part) as store:
                await migrated(store)
                await _serve(settings, machine, store)
            if store.hung:
                machine.keepers["database"].hangs()
            servers.cancel_scope.cancel()


def _machine(settings: UpSettings, path: Path, certificates: Certificates | None) -> _Machine:
    secrets = data_dir.read_secrets(path)
    rng = random.Random()
    postgres = EmbeddedPostgres(
        path / "postgres", path / "postgres.log", secrets.postgres, settings.sql
    )
    broker = EmbeddedBroker(
        path / "broker",
        path / "broker.log",
        settings.mqtt.bind.host,
        settings.mqtt.bind.port,
        secrets,
        subscriptions=settings.subscriptions_max,
        connections=settings.mqtt_connections,
        size=size_of(path, settings.broker_bytes_max),
        doors=Doors(
            certificate=None if certificates is None else certificates.loaded,
            is_tls=settings.mqtt.is_tls,
            web=settings.mqtt.web,
            web_is_tls=settings.mqtt.web_is_tls,
        ),
        fsync_s=settings.mqtt.fsync_s,
    )
    if certificates is not None:
        certificates.tell(broker.renew)
    disk = Disk(path, reserve=partial(_reserve, broker))
    keepers: dict[Which, Keeper] = {
        "database": Keeper(postgres, rng, disk.wait_room),
        "broker": Keeper(broker, rng, disk.wait_room),
    }
    return _Machine(
        path=path,
        secrets=secrets,
        postgres=postgres,
        broker=broker,
        disk=disk,
        keepers=keepers,
        rng=rng,
        certificates=certificates,
    )


def _reserve(broker: EmbeddedBroker) -> int:
    """What the broker may still write. It continues to accept messages that Roost leaves there."""
    return max(0, broker.size - used_bytes(broker.store))


async def _start(servers: trio.Nursery, keeper: Keeper) -> None:
    await servers.start(keeper.run)


async def _serve(settings: UpSettings, machine: _Machine, store: PostgresStore) -> None:
    broker = MqttBroker(machine.broker.address, partition_plans(PARTITIONS), machine.rng, "3.1.1")
    web = msgspec.structs.replace(
        settings.web,
        jwt_secret=settings.web.jwt_secret or machine.secrets.jwt,
        mqtt_url=settings.mqtt.public_url or machine.broker.url,
        mqtt_ws_url=machine.broker.web_url_for(settings.mqtt.public_url),
        mqtt_version=MQTT_VERSION,
    )
    where = Where(web.public_url)
    files_opened = open_media_files(machine.path / "media")
    async with (
        Closing(
            _open_logins(settings, machine, store, broker), "the logins of devices", deadline.part
        ) as logins,
        Closing(files_opened, "the media library", deadline.part) as files,
    ):
        ports = make_ports(
            store,
            broker,
            logins,
            MediaLinks(web.jwt_secret, where),
            files,
            webhooks_private=web.webhooks_private,
            zalo=settings.zalo,
            mail=settings.mail,
            machine=machine.disk,
            backlog=logins.consumers(broker.sessions),
            retained=logins.retained(),
            broker_health=logins,
        )
        ready = partial(_serve_ready, settings, machine, where, store, broker, logins)
        # This process has the lock of the data directory.
        await run_until_signal(
            ports,
            web,
            settings.binds,
            where,
            ready,
            settings.ingest,
            alone=True,
            certificates=machine.certificates,
        )


def _open_logins(
    settings: UpSettings, machine: _Machine, store: PostgresStore, broker: MqttBroker
) -> AbstractAsyncContextManager[NatsLogins]:
    return open_logins(
        machine.broker.access,
        store,
        SystemClock(),
        PARTITIONS,
        [plan.client_id for plan in broker.sessions],
        settings.listener_clients_max,
        settings.subscriptions_of_user,
    )


async def _serve_ready(
    settings: UpSettings,
    machine: _Machine,
    where: Where,
    store: PostgresStore,
    broker: MqttBroker,
    logins: NatsLogins,
    service: Service,
    url: str,
) -> None:
    """Start the watchers of the servers, admit devices, and print that all is ready."""
    bounds = logins.store_bounds(broker.sessions, machine.broker.size)
    shares = logins.share_keeper()
    watchdog = Watchdog(machine.disk, machine.keepers, settings.patience_s)
    door = logins.doorkeeper(machine.broker.connections)
    broker_log = machine.path / "broker.log"
    logs = [machine.path / "postgres.log", broker_log]
    run_essential = service.supervisor.run_essential
    run_essential("watchdog", partial(watchdog.run, _probes(service, store, logins)))
    run_essential("disk", machine.disk.watch)
    run_essential("broker store", partial(bound_store, bounds))
    run_essential("sql readers", partial(watch_readers, store))
    run_essential("broker door", door.run)
    run_essential("broker shares", shares.run)
    run_essential("server logs", partial(keep_short, logs))
    take = service.broker_refusals.take
    run_essential("broker log", partial(read_refusals, broker_log, take, logins.has_logged_in))
    service.supervisor.run_contained("binary sums", _check_binaries, gave_up=lambda: None)
    # Before our sessions exist the broker would acknowledge messages that nobody receives.
    await broker.wait_subscribed()
    await look(bounds)
    await shares.begin()
    await logins.open()
    await service.canaries.wait_passed()
    try:
        data_dir.note_address(machine.path, where())
    except SettingsError as error:  # a full disk is no reason not to serve
        log.warning("the address was not noted", error=in_words(error))
    print(
        " ".join(filter(None, ("ready", url, machine.broker.url, machine.broker.web_url))),
        flush=True,
    )
    if settings.demo:
        await show.run(service, machine.broker.address, url, machine.path, last=SPEAKS)
    else:
        print(SPEAKS, flush=True)


async def _check_binaries() -> None:
    for program in await trio.to_thread.run_sync(lambda: differing(programs())):
        log.warning("the program is not the one that Roost is tested with", program=str(program))


def _probes(service: Service, store: PostgresStore, logins: NatsLogins) -> Probes:
    return Probes(
        broker=logins.health,
        old=store.ping,
        new=store.knock,
        canaries=service.canaries,
        arrivals=lambda: service.counters.total.received,
        is_stuck=lambda: service.writer.statistics().stuck_since_s is not None,
    )
