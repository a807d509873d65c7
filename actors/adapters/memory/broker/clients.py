"""Other clients on the broker's twin: which are connected, and their stored sessions.

clients = Clients()
clients.connect("listener-…", is_clean=False)
clients.leave("listener-…")                    # the session stays
"""

import msgspec
import trio


class Client(msgspec.Struct, kw_only=True):
    is_clean: bool
    is_here: bool = True
    since_s: float = 0.0  # when it connected


class Clients:
    """The broker's side: sessions by client id."""

    def __init__(self) -> None:
        self.sessions: dict[str, Client] = {}

    def connect(self, client_id: str, *, is_clean: bool) -> None:
        """A client logs in; an earlier one with its id is disconnected."""
        self.sessions[client_id] = Client(is_clean=is_clean, since_s=trio.current_time())

    def leave(self, client_id: str) -> None:
        """Its connection ends; a clean session ends with it (MQTT 3.1.1 §3.1.2.4)."""
        client = self.sessions.get(client_id)
        if client is None:
            return
        client.is_here = False
        if client.is_clean:
            del self.sessions[client_id]

    def restarted(self, *, killed: bool) -> None:
        """The broker ended: a killed one finds clean sessions on its disk, without their
        clients."""
        for client_id, client in list(self.sessions.items()):
            client.is_here = False
            if client.is_clean and not killed:
                del self.sessions[client_id]
