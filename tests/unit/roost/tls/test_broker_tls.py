"""Roost's own sessions believe the broker's certificate, and no other one."""

import ssl
from pathlib import Path

import pytest
import trustme

from roost.embedded.broker_tls import BrokerTls
from roost.tls.certificates import Loaded
from roost.tls.files import read_pair

ROOT = trustme.CA()
BETWEEN = ROOT.create_child_ca()


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def broker_tls(folder: Path, certificate: trustme.LeafCert) -> BrokerTls:
    """With the whole chain in the file, as public CAs give it."""
    certificate.private_key_pem.write_to_path(str(folder / "key"))
    for blob in (*certificate.cert_chain_pems, BETWEEN.cert_pem):
        blob.write_to_path(str(folder / "cert"), append=True)
    return BrokerTls(folder / "tls", Loaded(read_pair(folder / "cert", folder / "key")))


def shake_hands(inside: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Raises `ssl.SSLCertVerificationError`."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = inside.wrap_bio(down, up)
    served = server.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for end in (client, served):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.do_handshake()


def test_the_certificate_is_believed_whatever_it_names(tmp_path: Path) -> None:
    mine = BETWEEN.issue_cert("roost.example")
    shake_hands(broker_tls(tmp_path, mine).context, context_of(mine))


def test_another_one_of_the_same_authority_is_not(tmp_path: Path) -> None:
    mine, theirs = BETWEEN.issue_cert("roost.example"), BETWEEN.issue_cert("theirs.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(broker_tls(tmp_path, mine).context, context_of(theirs))
