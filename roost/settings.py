"""Settings: the values of the command line and `ROOST_…` variables, checked in one place."""

import re
import socket
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import trio

from actors.adapters.smtp.mailer import MailSettings
from protocol.errors import SettingsError

NUMBER_MAX = 10_000_000
BYTES_MIN = 1 << 20
BYTES_MAX = 1 << 50  # a petabyte


class Bind(msgspec.Struct, frozen=True):
    host: str
    port: int

    @property
    def shown(self) -> str:
        """As part of a URL: IPv6 addresses in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Binds(msgspec.Struct, frozen=True):
    """Where the web listens. `ops`: for the metrics and details of readiness; None: with the
    rest."""

    http: Bind
    ops: Bind | None = None


def parse_bind(text: str, what: str) -> Bind:
    """`HOST:PORT`, `:PORT` (this machine only) or `[IPV6]:PORT`. Raises `SettingsError`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise SettingsError(f"{what}: {text!r} is not HOST:PORT")
    return Bind(host, int(port))


async def check_free(bind: Bind, what: str) -> None:
    """Raises `SettingsError` if it cannot listen there, with a reason instead of an errno."""
    # In a thread: the host may be a name, and its resolution may be slow.
    if bind.port:
        await trio.to_thread.run_sync(_try_bind, bind, what)


async def check_binds(binds: Binds) -> None:
    """Like `check_free` for all of them."""
    await check_free(binds.http, "HTTP")
    if binds.ops is not None:
        await check_free(binds.ops, "ops")


def _try_bind(bind: Bind, what: str) -> None:
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((bind.host, bind.port))
    except (OSError, TypeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not an address of this machine"
        raise SettingsError(f"cannot listen on {bind.shown} for {what}: {why}") from None


def free_port(host: str) -> int:
    """A port on which nobody listens now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def check_public_url(url: str | None) -> str | None:
    """None, or like `check_base_url`."""
    return check_base_url(url, "public URL") if url else None


def check_contact(contact: str | None) -> str | None:
    """An email address, or a URI with mailto:, https: or tel: (RFC 9116 §2.5.3)."""
    if not contact:
        return None
    if "@" in contact and ":" not in contact:
        contact = f"mailto:{contact}"
    if not contact.startswith(("mailto:", "https://", "tel:")) or not contact.isprintable():
        raise SettingsError(f"security contact: {contact!r} is no email address or https:// URL")
    return contact


def check_mqtt_address(url: str | None) -> str | None:
    """`mqtts://mqtt.example:8883`, or None. Raises `SettingsError`."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.username is not None or parts.path not in ("", "/"):
        raise SettingsError(f"MQTT public URL: {url!r} is not like mqtts://mqtt.example:8883")
    return url.rstrip("/")


FSYNC_S_MIN, FSYNC_S_MAX = 0.1, 3_600


def check_fsync(text: str) -> float:
    """`always`, which is 0, or seconds. Raises `SettingsError`."""
    if text == "always":
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not FSYNC_S_MIN <= seconds <= FSYNC_S_MAX:
        raise SettingsError(
            f"MQTT fsync: {text!r} is neither always nor {FSYNC_S_MIN} to {FSYNC_S_MAX} seconds"
        )
    return seconds


def check_base_url(url: str, what: str) -> str:
    """`https://roost.example`, without a path. Raises `SettingsError`."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.netloc) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.path not in ("", "/"):
        raise SettingsError(f"{what}: {url!r} is not like https://roost.example")
    return url.rstrip("/")


_TILES = re.compile(r"https?://[A-Za-z0-9.:{}-]+/[^\s;,'\"]*", re.ASCII)


def check_tiles(template: str | None) -> str | None:
    """A template of a tile server's addresses. Raises `SettingsError`."""
    if not template:
        return None
    parts = ("{z}", "{x}", "{y}")
    if _TILES.fullmatch(template) is None or not all(part in template for part in parts):
        raise SettingsError(
            f"map tiles url: {template!r} is not like https://tiles.example/{{z}}/{{x}}/{{y}}.png"
        )
    return template


def check_signup(text: str) -> bool:
    """`open` or `closed`. Raises `SettingsError`."""
    if text not in ("open", "closed"):
        raise SettingsError(f"signup: {text!r} is neither open nor closed")
    return text == "open"


def check_webhook_networks(text: str) -> bool:
    """`public` or `any`: whether webhooks may lead to private networks. Raises `SettingsError`."""
    if text not in ("public", "any"):
        raise SettingsError(f"webhook networks: {text!r} is neither public nor any")
    return text == "any"


def check_networks(text: str, what: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """`10.0.0.0/8, ::1`. Raises `SettingsError`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError:
            raise SettingsError(f"{what}: {part!r} is not an address or a network") from None
    return tuple(found)


def check_origins(text: str) -> tuple[str, ...]:
    """`https://app.example, https://b.example`. Raises `SettingsError`."""
    parts = filter(None, (part.strip() for part in text.split(",")))
    return tuple(check_base_url(part, "CORS origins") for part in parts)


def check_rate(per_s: float) -> float:
    """At least one request in ten seconds. Raises `SettingsError`."""
    if not 0.1 <= per_s <= 1e6:
        raise SettingsError(f"requests per s: {per_s} is not between 0.1 and a million")
    return per_s


_SMTP = {"smtp": ("starttls", 587), "smtps": ("smtps", 465), "smtp+plain": ("", 25)}


def check_smtp(url: str, sender: str) -> MailSettings:
    """`smtp://user:password@host:587` (with STARTTLS), `smtps://` (TLS from the beginning) or
    `smtp+plain://` (without). Raises `SettingsError`; never tells the password."""
    try:
        parts = urlsplit(url)
        tls, port = _SMTP[parts.scheme]
        host, port = parts.hostname or "", parts.port or port
    except (ValueError, KeyError):
        host = ""
    if not host:
        raise SettingsError("the SMTP URL must look like smtp://user:password@host:587")
    if sender.count("@") != 1 or not sender.isprintable():
        raise SettingsError(f"mail from: {sender!r} is no e-mail address")
    return MailSettings(
        host=host,
        port=port,
        tls=tls,
        sender=sender,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def check_database_url(url: str) -> str:
    """`postgresql://user@host:port/database`. Raises `SettingsError`; never tells the password."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("postgresql", "postgres") and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError("the database URL must look like postgresql://user@host:5432/database")
    for ca in parse_qs(parts.query).get("sslrootcert", ()):
        if not Path(ca).is_file():  # else it would be waited for, like a database that is away
            raise SettingsError(f"the database URL names a CA that does not exist: {ca}")
    return url


def check_jwt_secret(secret: str | None) -> str | None:
    """At least 32 characters (RFC 7518 §3.2 asks for as many bytes as the hash has)."""
    if secret is not None and len(secret) < 32:
        raise SettingsError("the JWT secret must have 32 characters or more")
    return secret or None


def check_count(number: int, what: str, least: int = 1, most: int = NUMBER_MAX) -> int:
    """How many of something there may be. Raises `SettingsError`."""
    if not least <= number <= most:
        raise SettingsError(f"{what}: {number} is not between {least} and {most}")
    return number


def check_retained_readings(text: str) -> bool:
    """`keep` or `clear`: whether retained readings stay. Raises `SettingsError`."""
    if text not in ("keep", "clear"):
        raise SettingsError(f"retained readings: {text!r} is neither keep nor clear")
    return text == "keep"


def check_bytes(number: int, what: str) -> int:
    """A size from a megabyte to a petabyte. Raises `SettingsError`."""
    if not BYTES_MIN <= number <= BYTES_MAX:
        raise SettingsError(f"{what}: {number} bytes are not between {BYTES_MIN} and {BYTES_MAX}")
    return number
