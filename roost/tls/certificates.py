"""The certificate of this server, read again on SIGHUP and when its files change.

    certificates = Certificates(TlsFiles(cert, key))   # raises SettingsError
    certificates.context()                             # for the web server: always the newest
    certificates.tell(broker.renew)                    # called with each other one
    await certificates.watch()

New files that do not work change nothing: the earlier certificate stays in use, the log and
`/readyz` say why, and the files are tried again at every look. A renewal writes two files, one
after the other, so a moment in which they do not fit is ordinary.
"""

import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import structlog
import trio

from protocol.errors import RoostError, SettingsError, in_words
from protocol.times import SECOND_US, format_us
from roost.tls.files import Pair, read_authorities, read_pair

log = structlog.get_logger("roost.tls")

LOOK_EVERY_S = 10.0
# Renewal is usually due thirty days before the end; a week before it, somebody must look.
SOON_US = 7 * 24 * 3600 * SECOND_US


class TlsFiles(msgspec.Struct, frozen=True):
    """Attributes:
    client_ca: CA certificates of MQTT clients; None: they need no certificate.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Loaded(msgspec.Struct, frozen=True):
    """What was read from the files, at one time."""

    pair: Pair
    client_ca: bytes | None = None


Told = Callable[[Loaded], Awaitable[None]]


class Certificates:
    """Attributes:
    loaded: what is in use.
    trouble: why newer files are not used; "" if they are.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self.trouble = ""
        self.reloads = 0
        self._seen = _signature(files)  # before they are read: a later change is seen
        self.loaded, self._current = _load(files)
        self._told: list[Told] = []
        self._looking = trio.Lock()  # else a signal during a look would tell the same one twice
        log.info("certificate", **self._shown())

    @property
    def not_after_us(self) -> int:
        return self.loaded.pair.not_after_us

    def tell(self, told: Told) -> None:
        """Call this with each new certificate. While it raises `RoostError`, it is called again."""
        self._told.append(told)

    def context(self) -> ssl.SSLContext:
        """For a server: each handshake uses the newest certificate."""
        outer = _server_context(self.files)

        def choose(line: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            line.context = self._current

        outer.sni_callback = choose  # called for clients that name no server, too
        return outer

    def checks(self, now_us: int) -> dict[str, str]:
        """For `/readyz`: what is wrong."""
        if self.trouble:
            return {"tls": f"new files are not used: {self.trouble}"}
        left_us = self.not_after_us - now_us
        if left_us < SOON_US:
            verb = "ends" if left_us > 0 else "ended"
            return {"tls": f"the certificate {verb} at {format_us(self.not_after_us)}"}
        return {}

    async def watch(self) -> None:
        """For ever. From now on SIGHUP reads the files again, and ends nothing."""
        with trio.open_signal_receiver(signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._on_signal, signals)
                while True:
                    await trio.sleep(LOOK_EVERY_S)
                    await self.look()

    async def _on_signal(self, signals: AsyncIterator[int]) -> None:
        async for _ in signals:
            await self.look(always=True)

    async def look(self, *, always: bool = False) -> None:
        """Read the files again if they have changed since they were read, or did not work."""
        async with self._looking:
            await self._look(always)

    async def _look(self, always: bool) -> None:
        signature = await trio.to_thread.run_sync(_signature, self.files)
        if signature == self._seen and not self.trouble and not always:
            return
        try:
            loaded, context = await trio.to_thread.run_sync(_load, self.files)
            if loaded != self.loaded:
                for told in self._told:
                    await told(loaded)
        except RoostError as error:
            told_before, self.trouble = self.trouble, in_words(error)
            if self.trouble != told_before or always:
                log.error("new certificate not used", error=self.trouble)
            return
        self._seen, self.trouble = signature, ""
        if loaded != self.loaded:
            self.loaded, self._current = loaded, context
            self.reloads += 1
            log.info("new certificate", **self._shown())

    def _shown(self) -> dict[str, str]:
        pair = self.loaded.pair
        return {"names": ", ".join(pair.names), "ends": format_us(pair.not_after_us)}


async def read_certificates(files: TlsFiles | None) -> Certificates | None:
    """None without TLS. Raises `SettingsError`."""
    return None if files is None else await trio.to_thread.run_sync(Certificates, files)


def _signature(files: TlsFiles) -> tuple[object, ...]:
    """What changes when a file does. A link is followed, as renewing programs change links."""
    found: list[object] = []
    for file in (files.certificate, files.key, files.client_ca):
        if file is not None:
            try:
                stat = file.stat()
            except OSError as error:
                found.append(error.errno)
            else:
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


def _load(files: TlsFiles) -> tuple[Loaded, ssl.SSLContext]:
    """Raises `SettingsError`."""
    pair = read_pair(files.certificate, files.key)
    ca = None if files.client_ca is None else read_authorities(files.client_ca)
    return Loaded(pair, ca), _server_context(files)


def _server_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # TLS 1.2 or newer
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"{files.certificate} cannot be used: {in_words(error)}") from None
    return context
