"""Which devices the certificate of an MQTT client names.

nats-server verifies it against the operator's CA (`--mqtt-client-ca`), and passes on the chains
that it found in the request for the login. A device is named by its client id (`device-…`), as
common name or as a DNS name of the certificate. A certificate that names no device says only that
its client may come as far as the login: it needs user name and password as anywhere else.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

_DEVICE = re.compile(r"device-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMES_MAX = 100


def devices_of(tls: Mapping[str, Any]) -> frozenset[str]:
    """The client ids in the client's own certificate.

    Args:
        tls: `client_tls` of the request: `verified_chains` are lists of PEM, the client's first.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: it cannot be read.
    """
    found: set[str] = set()
    for chain in tls.get("verified_chains") or ():
        found |= _names(chain[0])
    return frozenset(found)


def identity(named: Collection[str], username: str, client_id: str) -> str:
    """The user name with which the client comes in: that of its client id, if the certificate names
    it; "" if it does not, or if it claims to be somebody else."""
    is_theirs = client_id in named and username in ("", client_id)
    return client_id if is_theirs else ""


def _names(pem: str) -> set[str]:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(each.value) for each in common]
        try:
            kind = x509.SubjectAlternativeName
            others = certificate.extensions.get_extension_for_class(kind).value
            names += others.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            pass
    except (x509.InvalidVersion, x509.DuplicateExtension) as error:
        raise ValueError("the certificate cannot be read") from error
    return {name for name in names[:NAMES_MAX] if _DEVICE.fullmatch(name)}
