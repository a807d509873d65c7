"""Options of several commands."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

DATA_DIR = Path("data")
HERE = "http://127.0.0.1:8000"

DataDir = Annotated[
    Path, Parameter(help="Directory of the database, the broker, the media and the secrets.")
]
Http = Annotated[str, Parameter(help="Address of the dashboard and the API: HOST:PORT.")]
MqttConnections = Annotated[int, Parameter(help="Maximum MQTT connections in all.")]
Sql = Annotated[
    str | None,
    Parameter(
        help="Address for users' SQL logins (`roost user sql`): HOST:PORT. Unencrypted:"
        " for this machine, or a private network."
    ),
]
ListenerClients = Annotated[int, Parameter(help="Maximum client ids of an MQTT listener.")]
Subscriptions = Annotated[
    int,
    Parameter(
        help="Maximum subscriptions of an MQTT connection. A filter that ends with # counts twice;"
        " QoS 1 or 2 doubles the count."
    ),
]
SubscriptionsOfUser = Annotated[
    int,
    Parameter(
        help="Maximum QoS 1 or 2 subscriptions of all devices and listeners of a user; the broker"
        " has 16,384 in all."
    ),
]
BrokerBytes = Annotated[
    int | None,
    Parameter(
        help="Maximum bytes that the broker stores. Default: an eighth of the free disk space, at"
        " most 8 GiB."
    ),
]
MqttCa = Annotated[
    Path | None,
    Parameter(
        help="CA certificates in PEM by which the certificate of an mqtts:// broker is verified."
        " Default: those of this machine."
    ),
]
LogLevel = Annotated[str, Parameter(help="debug, info, warning or error.")]
LogFormat = Annotated[str, Parameter(help="auto, text or json.")]
DatabaseUrl = Annotated[
    str | None,
    Parameter(help="PostgreSQL 15 or newer. Default: the database of the data directory."),
]
