"""Roost's own connections to NATS, beside its MQTT sessions. They reconnect by themselves."""

from typing import Any

import msgspec
import nats
import structlog

from protocol.errors import in_words

log = structlog.get_logger("roost.logins")

RECONNECT_S = 0.2
# A broker that hangs is detected within half a minute.
PING_EVERY_S = 10
PINGS_MAX = 2


class NatsAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Roost's own login. `seed` signs the answers; its public key is in the server's
    configuration."""

    url: str
    auth_password: str
    sys_password: str
    seed: bytes
    account: str = "ROOST"


async def connect(access: NatsAccess, user: str, password: str, **options: Any) -> Any:
    """On an asyncio loop. `options` are those of `nats.connect`."""
    return await nats.connect(
        access.url,
        user=user,
        password=password,
        name=f"roost-{user}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_S,
        ping_interval=PING_EVERY_S,
        max_outstanding_pings=PINGS_MAX,
        error_cb=_log_error,
        **options,
    )


async def _log_error(error: Exception) -> None:
    log.info("error on a connection to the broker", error=in_words(error))
