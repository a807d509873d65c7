"""What the embedded `nats-server` is configured with, and what that says of one that runs."""

import re
from pathlib import Path

import msgspec

from actors.adapters.nats.keys import public_key
from actors.adapters.nats.lines import NatsAccess
from protocol.errors import SettingsError, in_words
from roost.embedded.data_dir import Secrets

CONFIG = "nats.conf"
# Four sessions store more than twice as much as one on two cores; eight store no more than four.
PARTITIONS = 4
# Thousands of simultaneous logins, as after a power cut, wait for some seconds, and are not
# refused.
LOGIN_WITHIN_S = 10
# Each QoS 1 subscription is a consumer of the stream of MQTT messages: 54 kB of memory, 3 ns for
# each message, ten milliseconds when the server ends (measured on 2.15.1 with 8,000 of them). The
# server's own default, since 2.15, is a thousand: the next device that subscribes to its commands
# with QoS 1 would be refused.
CONSUMERS_MAX = 16_384
# A disk that is slow for longer than this costs each waiting device its connection. The server's
# default is five seconds: with fsync before each acknowledgement, a burst of 5,000 messages took
# ten on a busy disk.
STORED_WITHIN_S = 30
# Of Roost's logins that speak NATS.
OVER_NATS = 'allowed_connection_types: ["STANDARD"]'


class BrokerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One server.

    Attributes:
        nats_port: where Roost speaks NATS to it, on 127.0.0.1.
        connections, subscriptions: most connections, and most subscriptions of each.
        store, room: the directory of its messages, and how many bytes it may take.
        fsync_s: how often it syncs; 0: before each acknowledgement.
        host, port, tls: its MQTT listener, and that one's section for TLS ("": none).
        web: the section of its WebSocket listener ("": none).
    """

    nats_port: int
    connections: int
    subscriptions: int
    store: Path
    room: int
    fsync_s: float
    host: str
    port: int
    tls: str
    web: str

    def text(self, own: Secrets) -> str:
        """Only Roost knows the three passwords; devices log in by callout."""
        sync = f'"{self.fsync_s * 1000:.0f}ms"' if self.fsync_s else "always"
        mappings = ",\n    ".join(
            _mapping(kind, tail)
            for kind, tail in (
                ("part", "feeds"),
                ("part", "feeds.*"),
                ("state", "status"),
                ("state", "commands.*.ack"),
            )
        )
        return f"""\
host: 127.0.0.1
port: {self.nats_port}
server_name: roost
max_payload: 8MB
max_connections: {self.connections}
max_subscriptions: {self.subscriptions}
jetstream {{
  store_dir: "{self.store}"
  max_file_store: {self.room}
  sync_interval: {sync}
  limits {{ default_max_consumers: {CONSUMERS_MAX} }}
}}
mqtt {{
  host: "{self.host}", port: {self.port}, ack_wait: "5s", max_ack_pending: 10000
  js_api_timeout: "{STORED_WITHIN_S}s"
  {self.tls}
}}
{self.web}
accounts {{
  SYS {{ users: [ {{ user: sys, password: "{own.nats_sys}", {OVER_NATS} }} ] }}
  ROOST {{
    jetstream: enabled
    users: [
      {{ user: auth, password: "{own.nats_auth}", {OVER_NATS} }},
      {{ user: roost, password: "{own.mqtt}" }}
    ]
    mappings: {{
    {mappings}
    }}
  }}
}}
system_account: SYS
authorization {{
  auth_callout {{
    issuer: {public_key(own.nats_seed.encode())}
    account: ROOST
    auth_users: [ auth, roost, sys ]
  }}
  timeout: {LOGIN_WITHIN_S}
}}
"""


def _mapping(kind: str, tail: str) -> str:
    to = tail.replace("*", "{{wildcard(3)}}")
    return (
        f'"users.*.devices.*.{tail}": "{kind}.{{{{partition({PARTITIONS},1,2)}}}}'
        f'.users.{{{{wildcard(1)}}}}.devices.{{{{wildcard(2)}}}}.{to}"'
    )


class Running(msgspec.Struct, frozen=True):
    """A server that another process runs. `size`: how many bytes its store may take."""

    access: NatsAccess
    size: int


def running(data: Path, secrets: Secrets) -> Running:
    """From the configuration that it was started with. Raises `SettingsError` if there is none."""
    try:
        text = (data / CONFIG).read_text()
    except OSError as error:
        raise SettingsError(f"the broker's configuration: {in_words(error)}") from None
    port, size = (re.search(rf"^\s*{name}: (\d+)", text, re.M) for name in _READ)
    if port is None or size is None:
        raise SettingsError(f"{data / CONFIG} is not what Roost writes")
    return Running(access_to(int(port[1]), secrets), int(size[1]))


_READ = ("port", "max_file_store")


def access_to(port: int, secrets: Secrets) -> NatsAccess:
    return NatsAccess(
        url=f"nats://127.0.0.1:{port}",
        auth_password=secrets.nats_auth,
        sys_password=secrets.nats_sys,
        seed=secrets.nats_seed.encode(),
    )
