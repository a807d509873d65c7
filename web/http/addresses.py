"""The client's address, behind proxies that Roost is configured to trust.

Any client can send any header. Only what a trusted proxy has written counts, and of its list only
what it, or another trusted proxy before it, has added.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

import structlog
from quart import Request, Websocket

from actors.runtime.sampled import Sampled
from protocol.people.networks import address_of, network_of

Network = IPv4Network | IPv6Network
UNKNOWN = "unknown"
HOPS_MAX = 32
WARN_EVERY_S = 3600.0
# Some proxies add the port of the client, and IPv6 addresses are then in brackets.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5}")

log = structlog.get_logger("roost.web")


class Addresses:
    """Args:
    trusted: networks of proxies (`ROOST_TRUSTED_PROXIES`).
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._strangers = Sampled(WARN_EVERY_S)

    def client(self, asked: Request | Websocket) -> str:
        """The client's address as text; `unknown` if the server has none."""
        found = asked.remote_addr or ""
        said = asked.headers.getlist("X-Forwarded-For")
        if said and not self.is_trusted(found):
            self._warn(found)
        hops = ",".join(said).split(",")[-HOPS_MAX:]
        while hops and self.is_trusted(found):
            hop = _bare(hops.pop().strip())
            if address_of(hop) is None:
                break
            found = hop
        address = address_of(found)
        return UNKNOWN if address is None else str(address)

    def _warn(self, address: str) -> None:
        """All clients behind a proxy that is not trusted count as one."""
        if times := self._strangers.times():
            log.warning(
                "X-Forwarded-For ignored: the address is not among the trusted proxies",
                address=address[:100],
                times=times,
                setting="--trusted-proxies",
            )

    def network(self, asked: Request | Websocket) -> str:
        """The network under which the client is counted."""
        return network_of(self.client(asked))

    def is_https(self, asked: Request | Websocket) -> bool:
        """Whether the client speaks TLS, with Roost or with a trusted proxy."""
        if asked.scheme in ("https", "wss"):
            return True
        said = asked.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        return said == "https" and self.is_trusted(asked.remote_addr or "")

    def is_trusted(self, text: str) -> bool:
        """Whether it is a trusted proxy."""
        address = address_of(text)
        return address is not None and any(address in network for network in self._trusted)


def _bare(hop: str) -> str:
    """An address without port and brackets."""
    found = _WITH_PORT.fullmatch(hop)
    return hop if found is None else found[1] or found[2]
