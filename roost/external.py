"""`roost serve`: the service alone, with an external database and broker."""

import random
from functools import partial
from pathlib import Path

import msgspec

from actors.adapters.disk.media_files import open_media_files
from actors.adapters.http.zalo import ZaloSettings
from actors.adapters.mqtt.broker import MqttBroker, parse_url
from actors.adapters.mqtt.client import VERSIONS
from actors.adapters.mqtt.no_logins import NoLogins
from actors.adapters.mqtt.plans import partition_plans, plain_plans
from actors.adapters.mqtt.retained import MqttRetained
from actors.adapters.postgres.store import open_store
from actors.adapters.smtp.mailer import MailSettings
from actors.adapters.system.clocks import SystemIds
from actors.ingest.bounds import IngestBounds
from actors.media.signed_urls import MediaLinks
from actors.service import Service
from protocol.errors import SettingsError
from roost import deadline
from roost.embedded import data_dir
from roost.migrating import migrated
from roost.serving import Where, make_ports, run_until_signal
from roost.settings import Binds, check_binds
from roost.shutdown import CONNECTIONS, Closing
from roost.sql_watch import watch_readers
from roost.tls.certificates import TlsFiles, read_certificates
from web.http.context import WebSettings

PARTITIONS_MAX = 64


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    binds: Binds
    tls: TlsFiles | None = None
    data_dir: Path
    database_url: str
    mqtt_url: str
    mqtt_ca: Path | None = None
    mqtt_version: str = "5"
    mqtt_partitions: int = 0
    mqtt_public_url: str | None = None
    web: WebSettings
    zalo: ZaloSettings | None = None
    mail: MailSettings | None = None
    ingest: IngestBounds = IngestBounds()
    retained_stay: bool = True  # readings, if others may subscribe to them


async def serve(settings: ServeSettings) -> None:
    """Run until SIGTERM or Ctrl-C. Waits for a database or broker that is away."""
    if settings.mqtt_version not in VERSIONS:
        raise SettingsError(f"MQTT version: {settings.mqtt_version!r} is neither 5 nor 3.1.1")
    if not 0 <= settings.mqtt_partitions <= PARTITIONS_MAX:
        raise SettingsError(f"MQTT partitions: 0 to {PARTITIONS_MAX}")
    await check_binds(settings.binds)
    certificates = await read_certificates(settings.tls)
    many = settings.mqtt_partitions
    out = f"roost-out-{SystemIds().uuid()}"  # several processes may serve one broker
    plans = partition_plans(many, out) if many else plain_plans(out, is_seen=settings.retained_stay)
    address = parse_url(settings.mqtt_url, settings.mqtt_ca)
    broker = MqttBroker(address, plans, random.Random(), settings.mqtt_version)
    web = msgspec.structs.replace(
        settings.web,
        jwt_secret=settings.web.jwt_secret or _kept_secret(settings.data_dir),
        mqtt_url=settings.mqtt_public_url,
        mqtt_version=settings.mqtt_version,
    )

    async def serve_ready(service: Service, url: str) -> None:
        service.supervisor.run_essential("sql readers", partial(watch_readers, store))
        await service.leadership.decided.wait()
        if service.leadership.is_standby:
            print(f"standby {url}", flush=True)
        await service.canaries.wait_passed()
        print(f"ready {url} {settings.mqtt_public_url or _without_login(broker)}", flush=True)

    files_opened = open_media_files(settings.data_dir / "media")
    async with (
        Closing(open_store(settings.database_url), CONNECTIONS, deadline.part) as store,
        Closing(files_opened, "the media library", deadline.part) as files,
    ):
        await migrated(store)
        where = Where(web.public_url)
        links = MediaLinks(web.jwt_secret, where)
        ports = make_ports(
            store,
            broker,
            NoLogins(),
            links,
            files,
            webhooks_private=web.webhooks_private,
            zalo=settings.zalo,
            mail=settings.mail,
            retained=MqttRetained(broker, many),
        )
        await run_until_signal(
            ports,
            web,
            settings.binds,
            where,
            serve_ready,
            settings.ingest,
            certificates=certificates,
        )


def _kept_secret(path: Path) -> str:
    with data_dir.locked(path) as locked:
        return data_dir.read_secrets(locked).jwt


def _without_login(broker: MqttBroker) -> str:
    scheme = "mqtts" if broker.address.ssl else "mqtt"
    return f"{scheme}://{broker.address.host}:{broker.address.port}"
