"""Where a request comes from: the client behind the proxies that we were told to trust.

A header says whatever its sender likes; only what a trusted proxy has written counts, and of its
list only what it, or another trusted one before it, has added.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from quart import Request, Websocket

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
            if _address(said) is None:
                break
            found = said
        address = _address(found)
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
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def network_of(text: str) -> str:
    """What one client is taken for, where clients are counted: an address, of IPv6 its /64."""
    address = _address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return text


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
