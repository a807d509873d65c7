"""Options of TLS, the same for `roost up` and `roost serve`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from protocol.errors import SettingsError
from roost.tls.certificates import TlsFiles


@Parameter(name="*", group="TLS")
@dataclass(frozen=True, kw_only=True)
class TlsOptions:
    """The given values; `files` checks them."""

    tls_cert: Annotated[
        Path | None,
        Parameter(
            help="Certificate with its chain, in PEM: HTTP is then HTTPS only. Read again when it"
            " changes, and on SIGHUP."
        ),
    ] = None
    tls_key: Annotated[
        Path | None, Parameter(help="Private key of the certificate, in PEM, without a passphrase.")
    ] = None

    def files(self, client_ca: Path | None = None) -> TlsFiles | None:
        """None without TLS. Raises `SettingsError`."""
        if self.tls_cert is None and self.tls_key is None:
            return None
        if self.tls_cert is None or self.tls_key is None:
            raise SettingsError("TLS needs both --tls-cert and --tls-key")
        return TlsFiles(self.tls_cert, self.tls_key, client_ca)
