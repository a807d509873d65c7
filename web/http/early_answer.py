"""An answer ends after its request has arrived.

An application may know its answer (401, 404, 405) before the body of the request has arrived. If it
ends the answer then, the server cannot tell the rest of this body from the next request, and must
close the connection, although the client was not told to open another one (RFC 9112 §9.6).
"""

from typing import Any

import trio

# The client has its whole answer by then; one that still sends after this time does not want
# another.
REST_WITHIN_S = 5.0


def with_an_end(inner: Any) -> Any:
    """The ASGI application `inner`, whose answers end when their request has arrived.

    Quart reads and drops the rest of the request, up to the limit of a body.
    """

    async def ended(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        arrived = trio.Event()

        async def hear() -> Any:
            message = await receive()
            if not message.get("more_body"):
                arrived.set()
            return message

        async def say(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                if message.get("body"):
                    await send({**message, "more_body": True})
                    message = {"type": "http.response.body", "body": b""}
                with trio.move_on_after(REST_WITHIN_S):
                    await arrived.wait()
            await send(message)

        await inner(scope, hear, say)

    return ended
