"""The network by which clients are counted: an IPv4 address, or the /64 of an IPv6 address.

A customer usually has a whole /64, so single IPv6 addresses would not limit anybody.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address


def network_of(text: str) -> str:
    """The network of an address; a text that is no address is returned as it is."""
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return text if address is None else str(address)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4 one if it is mapped into IPv6; None if the text is no address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
