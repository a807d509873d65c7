"""What clients are counted by: an address, of IPv6 its /64, which belongs to one of them whole."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address


def network_of(text: str) -> str:
    """What one client is taken for, where clients are counted; what is no address, for itself."""
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return text if address is None else str(address)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Also one of IPv4 that is written as one of IPv6; None where it is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
