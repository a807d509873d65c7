"""gmqtt's client without its reconnection: from TCP to CONNACK, and its end.

`Client.reconnect` does nothing: the caller replaces a lost connection with a new client, with
jitter, so no packet id of an earlier connection survives.
"""

import asyncio
import ssl

import gmqtt
import structlog
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.mqtt.handler import MQTTError

from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.mqtt")

CONNECT_TIMEOUT_S = 10.0
VERSIONS = {"3.1.1": MQTTv311, "5": MQTTv50}


class Address:
    """The address of a broker, and a login."""

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None = None,
        password: str | None = None,
        tls: bool | ssl.SSLContext = False,
    ) -> None:
        self.host = host
        self.port = port
        self.username = username
        self.password = password
        # Once, because ten sessions may connect at the same time, and reading the machine's
        # certificates takes 50 ms.
        self.ssl = ssl.create_default_context() if tls is True else tls


class Client(gmqtt.Client):  # type: ignore[misc]
    """gmqtt's client without its own reconnection."""

    async def reconnect(self, delay: bool = False) -> None:
        """Nothing: see the module."""


async def connect_client(
    client: Client, ended: asyncio.Event, address: Address, keepalive_s: int, version: int
) -> None:
    """From TCP to CONNACK.

    Args:
        ended: set when the connection ends; gmqtt would wait for a CONNACK for ever.

    Raises:
        Unavailable: nobody listens there, the broker refused, or it did not answer in ten seconds.
    """
    connecting = asyncio.ensure_future(
        client.connect(
            address.host, address.port, ssl=address.ssl, keepalive=keepalive_s, version=version
        )
    )
    ending = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait(
            {connecting, ending}, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not connecting.done():
            raise Unavailable("the broker did not answer")
        connecting.result()
    except (OSError, MQTTError) as error:
        raise Unavailable(f"the broker refused: {in_words(error)}") from error
    finally:
        for task in (connecting, ending):
            task.cancel()
        await asyncio.gather(connecting, ending, return_exceptions=True)  # noqa: ASYNC102


async def close_client(client: Client, timeout_s: float) -> None:
    """Send DISCONNECT if possible, and close the socket in any case."""
    connection = client._connection
    if connection is None or connection.is_closing():
        return
    try:
        await asyncio.wait_for(client.disconnect(), timeout_s)
    except (TimeoutError, OSError) as error:
        log.debug("unclean close", session=client._client_id, error=in_words(error))
        connection._transport.abort()
