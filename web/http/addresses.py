"""Where a request comes from: the client behind the proxies that we were told to trust.

A header says whatever its sender likes; only what a trusted proxy has written counts, and of its
list only what it, or another trusted one before it, has added.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from quart import Request, Websocket

from protocol.people.networks import address_of, network_of

Network = IPv4Network | IPv6Network
UNKNOWN = "unknown"
HOPS_MAX = 32


class Addresses:
    """Args:
    trusted: networks of proxies (`ROOST_TRUSTED_PROXIES`).
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted

    def client(self, asked: Request | Websocket) -> str:
        """The address of who asks, as text; `unknown` where the server has none."""
        found = asked.remote_addr or ""
        hops = ",".join(asked.headers.getlist("X-Forwarded-For")).split(",")[-HOPS_MAX:]
        while hops and self.is_trusted(found):
            said = hops.pop().strip()
            if address_of(said) is None:
                break
            found = said
        address = address_of(found)
        return UNKNOWN if address is None else str(address)

    def network(self, asked: Request | Websocket) -> str:
        """What the client is counted as."""
        return network_of(self.client(asked))

    def is_https(self, asked: Request | Websocket) -> bool:
        """Whether the client speaks TLS, with us or with a trusted proxy."""
        if asked.scheme == "https":
            return True
        said = asked.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        return said == "https" and self.is_trusted(asked.remote_addr or "")

    def is_trusted(self, text: str) -> bool:
        """Whether it is a proxy's whose word counts."""
        address = address_of(text)
        return address is not None and any(address in network for network in self._trusted)
