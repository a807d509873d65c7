"""Protection against SSRF: which URLs and addresses users may have the server contact.

A URL that a user chose can name the server's own machine, its neighbours, or a cloud's metadata
service. The caller resolves the name, checks each address with `is_public`, and connects to exactly
that address: a second look-up could return another one.
"""

import ipaddress
from urllib.parse import urlsplit

import msgspec

from protocol.problems.detail import Detail

URL_MAX = 2_000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 §2.1
_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadTarget(ValueError):
    """A URL that deliveries cannot be sent to; `detail` reads on from the field's name."""

    def __init__(self, detail: Detail) -> None:
        super().__init__(str(detail))
        self.detail = detail


class Target(msgspec.Struct, frozen=True):
    """The parts of a URL needed for a request. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """Parse an absolute http or https URL without credentials.

    Raises:
        BadTarget: it is not one.
    """
    if len(url) > URL_MAX:
        raise BadTarget(Detail("url_too_long", most=URL_MAX))
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise BadTarget(Detail("url_characters"))
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise BadTarget(Detail("url_scheme"))
    if "@" in parts.netloc:
        raise BadTarget(Detail("url_login"))
    try:
        port = parts.port
    except ValueError:
        raise BadTarget(Detail("url_port")) from None
    if port == 0:
        raise BadTarget(Detail("url_port"))
    host = parts.hostname or ""
    if not host or len(host) > 253 or "%" in host:
        raise BadTarget(Detail("url_host"))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def literal(host: str) -> Address | None:
    """The host as an address; None if it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(text: str) -> bool:
    """Whether an address is on the public Internet: not local, private, multicast or reserved.

    An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) is judged by the IPv4 address.

    Raises:
        ValueError: the text is no address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return _is_public_4(address)
    if address.ipv4_mapped is not None:
        return _is_public_4(address.ipv4_mapped)
    if address.sixtofour is not None:
        return _is_public_4(address.sixtofour)
    if address.teredo is not None:
        return all(_is_public_4(each) for each in address.teredo)
    if address in _NAT64:
        return _is_public_4(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    # Of IPv6 only 2000::/3 is allocated to public networks.
    return address in _UNICAST_6 and address.is_global and not _is_kept_6(address)


_UNICAST_6 = ipaddress.ip_network("2000::/3")
# Reserved networks (registries of RFC 6890) on which Python's patch levels differ; and the address
# under which each virtual machine of Azure reaches its host (metadata, keys), which is registered
# as a public one.
_KEPT_6 = tuple(map(ipaddress.ip_network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_KEPT_4 = tuple(
    map(
        ipaddress.ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "240.0.0.0/4"),
            "168.63.129.16/32",
        ),
    )
)


def _is_kept_6(address: ipaddress.IPv6Address) -> bool:
    return any(address in network for network in _KEPT_6)


def _is_public_4(address: ipaddress.IPv4Address) -> bool:
    if address.is_multicast or any(address in network for network in _KEPT_4):
        return False
    return address.is_global
