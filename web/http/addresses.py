"""The client's address, behind proxies that Roost is configured to trust.

Any client can send any header. Only what a trusted proxy has written counts, and of its list only
what it, or another trusted proxy before it, has added.
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
        """The client's address as text; `unknown` if the server has none."""
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
        """The network under which the client is counted."""
        return network_of(self.client(asked))

    def is_https(self, asked: Request | Websocket) -> bool:
        """Whether the client speaks TLS, with Roost or with a trusted proxy."""
        if asked.scheme == "https":
            return True
        said = asked.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        return said == "https" and self.is_trusted(asked.remote_addr or "")

    def is_trusted(self, text: str) -> bool:
        """Whether it is a trusted proxy."""
        address = address_of(text)
        return address is not None and any(address in network for network in self._trusted)
