"""Commands that run the service: up and serve."""

from typing import Annotated

from cyclopts import Parameter

from actors.adapters.nats.client_ids import CLIENT_IDS_MAX
from actors.adapters.nats.subscription_shares import OF_DEVICE, SHARE
from actors.ingest.bounds import IngestBounds
from roost import logs
from roost.bound_options import BoundOptions
from roost.budget_options import BudgetOptions
from roost.demo.show import data_dir_of
from roost.embedded.broker import CONNECTIONS_MAX, CONNECTIONS_MIN, SUBSCRIPTIONS_MAX
from roost.embedded.broker_config import CONSUMERS_MAX
from roost.embedded.watchdog import PATIENCE_S
from roost.external import ServeSettings, serve
from roost.interrupting import run
from roost.mqtt_options import MqttOptions
from roost.options import (
    DATA_DIR,
    BrokerBytes,
    DataDir,
    Http,
    ListenerClients,
    LogFormat,
    LogLevel,
    MqttCa,
    MqttConnections,
    Sql,
    Subscriptions,
    SubscriptionsOfUser,
)
from roost.rate_options import RateOptions
from roost.settings import (
    check_count,
    check_database_url,
    check_retained_readings,
    parse_bind,
)
from roost.tls_options import TlsOptions
from roost.up import UpSettings, up
from roost.web_options import WebOptions

WEB = WebOptions()
RATES = RateOptions()
BUDGET = BudgetOptions()
BOUNDS = BoundOptions()
MQTT = MqttOptions()
TLS = TlsOptions()


def _ingest(rates: RateOptions, budget: BudgetOptions) -> IngestBounds:
    return IngestBounds(
        rates=rates.settings(), refusals=budget.refusals(), retained=budget.retained()
    )


def up_command(
    *,
    demo: Annotated[
        bool,
        Parameter(
            negative="",
            help="Show a small business with simulated devices. All of it is in the folder `demo`"
            " of the data directory, apart from your own data.",
        ),
    ] = False,
    data_dir: DataDir = DATA_DIR,
    http: Http = "127.0.0.1:8000",
    mqtt: MqttOptions = MQTT,
    tls: TlsOptions = TLS,
    mqtt_connections: MqttConnections = CONNECTIONS_MAX,
    sql: Sql = None,
    mqtt_listener_clients: ListenerClients = CLIENT_IDS_MAX,
    mqtt_subscriptions: Subscriptions = SUBSCRIPTIONS_MAX,
    mqtt_subscriptions_of_user: SubscriptionsOfUser = SHARE,
    web: WebOptions = WEB,
    rates: RateOptions = RATES,
    budget: BudgetOptions = BUDGET,
    bounds: BoundOptions = BOUNDS,
    broker_bytes_max: BrokerBytes = None,
    log_level: LogLevel = "info",
    log_format: LogFormat = "auto",
    server_patience_s: Annotated[float, Parameter(show=False)] = PATIENCE_S,
) -> None:
    """Run everything on this machine: database, MQTT broker, service."""
    logs.configure(log_level, log_format)
    files = tls.files(mqtt.mqtt_client_ca)
    settings = UpSettings(
        binds=web.binds(http),
        mqtt=mqtt.settings(has_certificate=files is not None),
        tls=files,
        mqtt_connections=check_count(mqtt_connections, "MQTT connections", CONNECTIONS_MIN),
        sql=parse_bind(sql, "sql") if sql else None,
        data_dir=data_dir_of(data_dir) if demo else data_dir,
        listener_clients_max=check_count(mqtt_listener_clients, "MQTT listener clients", 1, 1_000),
        subscriptions_max=check_count(mqtt_subscriptions, "MQTT subscriptions", 32, 65_536),
        subscriptions_of_user=check_count(
            mqtt_subscriptions_of_user, "MQTT subscriptions of user", OF_DEVICE, CONSUMERS_MAX
        ),
        web=web.settings(bounds.bounds()),
        ingest=_ingest(rates, budget),
        zalo=web.zalo(),
        mail=web.mail(),
        broker_bytes_max=broker_bytes_max,
        demo=demo,
        patience_s=server_patience_s,
    )
    run(up, settings)


def serve_command(
    *,
    database_url: Annotated[
        str,
        Parameter(
            help="PostgreSQL 15 or newer; ?sslmode=verify-full&sslrootcert=FILE verifies its"
            " certificate."
        ),
    ],
    mqtt_url: Annotated[str, Parameter(help="mqtt://user:password@host:1883, or mqtts://.")],
    mqtt_ca: MqttCa = None,
    mqtt_version: Annotated[str, Parameter(help="5 or 3.1.1.")] = "5",
    mqtt_partitions: Annotated[
        int, Parameter(help="Partitions to which the broker maps devices; 0 if it maps none.")
    ] = 0,
    mqtt_public_url: Annotated[
        str | None, Parameter(help="Address that the API shows for devices to connect to.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    http: Http = "127.0.0.1:8000",
    tls: TlsOptions = TLS,
    retained_readings: Annotated[
        str,
        Parameter(
            help="keep: retained readings stay within their limits, for other subscribers."
            " clear: they are removed from the broker once they are taken."
        ),
    ] = "keep",
    web: WebOptions = WEB,
    rates: RateOptions = RATES,
    budget: BudgetOptions = BUDGET,
    bounds: BoundOptions = BOUNDS,
    log_level: LogLevel = "info",
    log_format: LogFormat = "auto",
) -> None:
    """Run the service alone, with your own database and broker."""
    logs.configure(log_level, log_format)
    settings = ServeSettings(
        binds=web.binds(http),
        tls=tls.files(),
        data_dir=data_dir,
        database_url=check_database_url(database_url),
        mqtt_url=mqtt_url,
        mqtt_ca=mqtt_ca,
        mqtt_version=mqtt_version,
        mqtt_partitions=mqtt_partitions,
        mqtt_public_url=mqtt_public_url,
        web=web.settings(bounds.bounds()),
        ingest=_ingest(rates, budget),
        zalo=web.zalo(),
        mail=web.mail(),
        retained_stay=check_retained_readings(retained_readings),
    )
    run(serve, settings)
