"""What a client says of itself."""

from quart import Request, Websocket

from protocol.people.people import AGENT_MAX
from protocol.printable import printable


def agent_of(asked: Request | Websocket) -> str:
    """The client's User-Agent, shortened, with characters replaced that cannot be stored."""
    said = asked.headers.get("User-Agent", "")[:AGENT_MAX]
    return printable(said).encode("utf-8", "replace").decode()
