"""The ports of the service: everything that touches a clock, a socket or a disk.

Each port has a real adapter, an in-memory twin, and one contract suite that both pass
(`tests/contract/`). All times are microseconds since 1970 unless the name says otherwise.
"""

import random
from dataclasses import dataclass

from actors.ports.broker import Broker
from actors.ports.broker_backlog import BrokerBacklog
from actors.ports.broker_health import BrokerHealth
from actors.ports.identity import IdentityProvider
from actors.ports.ids import Ids
from actors.ports.links import Links
from actors.ports.logins import Logins
from actors.ports.machine import Machine
from actors.ports.mail import Mailer
from actors.ports.media import MediaFiles
from actors.ports.retained import RetainedMessages
from actors.ports.store import Store
from actors.ports.webhooks import Receivers
from actors.runtime.clock import WallClock


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The adapters that the service uses. `rng` is for pauses only; ids and secrets have a port of
    their own.

    None for what is not available: mail or Zalo that is not configured, a broker that does not
    report what it holds or retains, or how it is, servers that are not embedded.
    """

    store: Store
    broker: Broker
    clock: WallClock
    ids: Ids
    logins: Logins
    links: Links
    files: MediaFiles
    receivers: Receivers
    rng: random.Random
    mailer: Mailer | None = None
    zalo: IdentityProvider | None = None
    backlog: BrokerBacklog | None = None
    retained: RetainedMessages | None = None
    machine: Machine | None = None
    broker_health: BrokerHealth | None = None
