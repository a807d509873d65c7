"""TLS of the embedded broker: files for nats-server, and how Roost's own sessions come in.

nats-server gets copies of the files. An operator's file that is being replaced, or was replaced by
a broken one, then never keeps the broker from starting again.

The broker has one MQTT listener, so Roost's own sessions speak TLS, too. They connect to an address
of this machine, which no certificate names. So they trust exactly the certificate that the broker
was given (and those before it in this run), whatever its names, and even after its end: a
certificate that nobody renewed must not keep Roost from its own broker. Nobody else's is trusted,
also none of the same CA. If clients need a certificate, Roost makes itself one at each start.
"""

import ssl
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.times import EPOCH
from roost.embedded.data_dir import write_private
from roost.tls.certificates import Loaded

# A small device takes seconds for a handshake; the server's default is two.
HANDSHAKE_WITHIN_S = 10
OWN_NAME = "roost"
# X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h), which Python has no name for.
NO_CHECK_TIME = 0x200000


class BrokerTls:
    """Args:
    folder: for the copies; only Roost's user can read it.

    Attributes:
        context: for Roost's own sessions.
    """

    def __init__(self, folder: Path, loaded: Loaded) -> None:
        self._folder = folder
        self._loaded = loaded
        self._own: bytes | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
        self._trust()

    def renew(self, loaded: Loaded) -> None:
        """Take another certificate; nats-server does so when it reads its configuration again."""
        self._loaded = loaded
        self._trust()
        self.write()

    def _trust(self) -> None:
        # The others of the chain would be trusted as CAs.
        own = x509.load_pem_x509_certificates(self._loaded.pair.chain)[0]
        self.context.load_verify_locations(cadata=own.public_bytes(Encoding.DER))

    def write(self) -> None:
        """Write the files. Raises `SettingsError`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pair, client_ca = self._loaded.pair, self._loaded.client_ca
        write_private(self._folder / "certificate.pem", pair.chain)
        write_private(self._folder / "key.pem", pair.key)
        if client_ca is None:
            return
        if self._own is None:
            self._own, key = _own_certificate()
            own = self._folder / "own.pem"
            write_private(own, key + self._own)
            self.context.load_cert_chain(own)
        write_private(self._folder / "clients.pem", client_ca.rstrip() + b"\n" + self._own)

    def section(self, *, clients: bool) -> str:
        """The block `tls` of a listener.

        Args:
            clients: whether clients of this listener need a certificate, if there is a CA.
        """
        verify = ""
        if clients and self._loaded.client_ca is not None:
            verify = f'ca_file: "{self._folder / "clients.pem"}", verify: true, '
        return (
            f'tls {{ cert_file: "{self._folder / "certificate.pem"}",'
            f' key_file: "{self._folder / "key.pem"}", {verify}timeout: {HANDSHAKE_WITHIN_S} }}'
        )


def _own_certificate() -> tuple[bytes, bytes]:
    """A certificate that is its own CA, and its key, which is kept for this run only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, OWN_NAME)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # It is worth nothing without its key; a wrong clock of this machine must not matter.
        .not_valid_before(EPOCH.replace(tzinfo=None))
        .not_valid_after(EPOCH.replace(tzinfo=None) + timedelta(days=365 * 200))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), secret
