"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

DATA_DIR = Path("data")
HERE = "http://127.0.0.1:8000"

DataDir = Annotated[
    Path, Parameter(help="Where the database, the broker, the media and the secrets live.")
]
Http = Annotated[str, Parameter(help="Where to serve people: HOST:PORT.")]
Mqtt = Annotated[str, Parameter(help="Where to serve devices: HOST:PORT.")]
MqttConnections = Annotated[int, Parameter(help="How many MQTT connections there may be, of all.")]
Sql = Annotated[
    str | None,
    Parameter(
        help="Where SQL logins of users may connect (`roost user sql`): HOST:PORT. Unencrypted:"
        " for this machine, or a private network."
    ),
]
ListenerClients = Annotated[
    int, Parameter(help="How many client ids an MQTT listener may have at once.")
]
Subscriptions = Annotated[
    int,
    Parameter(
        help="How many subscriptions an MQTT connection may have; one that ends with # counts"
        " twice, one with QoS 1 or 2 twice again."
    ),
]
SubscriptionsOfUser = Annotated[
    int,
    Parameter(
        help="How many subscriptions with QoS 1 or 2 all devices and listeners of one user may"
        " have; the broker has 16,384 for everybody."
    ),
]
BrokerBytes = Annotated[
    int | None,
    Parameter(
        help="How much the broker may store; else an eighth of what is free on the disk, and at"
        " most 8 GiB."
    ),
]
LogLevel = Annotated[str, Parameter(help="debug, info, warning or error.")]
LogFormat = Annotated[str, Parameter(help="auto, text or json.")]
DatabaseUrl = Annotated[
    str | None,
    Parameter(help="PostgreSQL 15 or newer; without it, the database of the data directory."),
]
