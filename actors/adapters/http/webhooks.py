"""The Receivers port over HTTP: httpx on Trio, without access to networks that are not public.

The name of a URL is resolved here, each of its addresses is checked (`protocol.webhook.ssrf`), and
the connection is made to exactly the address that was checked, because another look-up could give
another one. TLS still checks the certificate against the name. Redirects are not followed, proxies
are not used, and every try has a connection of its own, so that none is used for another name at
the same address.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress

import httpx
import structlog
import trio

from protocol.errors import in_words
from protocol.problems.detail import Detail
from protocol.webhook.deliveries import ANSWER_WITHIN_S, Outcome, failed
from protocol.webhook.ssrf import BadTarget, Target, is_public, literal, parse_target

log = structlog.get_logger("roost.webhooks")

DETAIL_BYTES = 200
ADDRESSES_MAX = 4
CONNECTED_WITHIN_S = ANSWER_WITHIN_S / 2


class HttpReceivers:
    """See `actors.ports.webhooks.Receivers`.

    Args:
        agent: the value of `User-Agent`.
        private: whether networks that are not public may be reached.
        context: which certificates are trusted; None: those of the machine.
    """

    def __init__(
        self, agent: str, *, private: bool = False, context: ssl.SSLContext | None = None
    ) -> None:
        self._agent = agent
        self._private = private
        self._context = context or httpx.create_ssl_context()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        try:
            target = parse_target(url)
            with trio.fail_after(ANSWER_WITHIN_S):
                return await self._try(target, {**headers, "user-agent": self._agent}, body)
        except trio.TooSlowError:
            return failed(Detail("delivery_unanswered", seconds=ANSWER_WITHIN_S))
        except (BadTarget, NotPublic) as error:
            return failed(error.detail)
        except (httpx.HTTPError, OSError, ValueError) as error:
            return failed(_why(error))
        except Exception as error:
            log.error("unexpected failure of a delivery", error=in_words(error), exc_info=error)
            return failed(Detail("delivery_failed"))

    async def _try(self, target: Target, headers: dict[str, str], body: bytes) -> Outcome:
        """The answer of the first address that accepts a connection."""
        addresses = await self._addresses(target)
        for address in addresses[:-1]:
            try:
                return await self._post(target, address, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._post(target, addresses[-1], headers, body)

    async def _addresses(self, target: Target) -> list[str]:
        """The addresses of the host, at least one.

        Raises:
            NotPublic: it has none, or they may not be contacted.
        """
        known: dict[str, None] = {}
        with suppress(socket.gaierror):
            found = await trio.socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            known = dict.fromkeys(str(each[4][0]) for each in found)
        allowed = [each for each in known if self._private or is_public(each.partition("%")[0])]
        if not allowed:
            # The same for a name that does not exist, so that nobody learns internal names.
            raise NotPublic(Detail("delivery_not_public", host=target.host))
        return allowed[:ADDRESSES_MAX]

    async def _post(
        self, target: Target, address: str, headers: dict[str, str], body: bytes
    ) -> Outcome:
        at = f"[{address}]" if ":" in address else address
        url = httpx.URL(f"{target.scheme}://{at}:{target.port}{target.path}")
        within = httpx.Timeout(ANSWER_WITHIN_S, connect=CONNECTED_WITHIN_S)
        # If the host is a literal address, the certificate is checked against that.
        extensions = {} if literal(target.host) else {"sni_hostname": target.host}
        async with (
            httpx.AsyncClient(verify=self._context, trust_env=False, timeout=within) as client,
            client.stream(
                "POST",
                url,
                headers={**headers, "host": target.authority},
                content=body,
                extensions=extensions,
            ) as answer,
        ):
            if answer.is_success:
                return Outcome(status=answer.status_code)
            if answer.is_redirect:
                return failed(Detail("delivery_redirected"), answer.status_code)
            return Outcome(status=answer.status_code, detail=await _said(answer))


class NotPublic(OSError):
    """A name without an address that may be contacted."""

    def __init__(self, detail: Detail) -> None:
        super().__init__(str(detail))
        self.detail = detail


def _why(error: Exception) -> Detail:
    """Why there is no answer."""
    causes = list(_causes(error))
    if isinstance(error, httpx.TimeoutException):
        within_s = (
            CONNECTED_WITHIN_S if isinstance(error, httpx.ConnectTimeout) else ANSWER_WITHIN_S
        )
        return Detail("delivery_unanswered", seconds=within_s)
    # httpx's own errors often have no text.
    problem = next((text for each in causes if (text := str(each))), "") or in_words(error)
    problem = problem[:DETAIL_BYTES]
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return Detail("delivery_untrusted", problem=problem)
    if isinstance(error, httpx.ConnectError):
        return Detail("delivery_unconnected", problem=problem)
    if isinstance(error, httpx.TransportError):
        return Detail("delivery_answer_invalid", problem=problem)
    return Detail("delivery_unsent", problem=problem)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


async def _said(answer: httpx.Response) -> str:
    """The beginning of a receiver's answer, if it did not accept."""
    start = b""
    # Cancelled, not left: httpcore's generators end only when they run to their end.
    with trio.CancelScope() as enough:
        async for part in answer.aiter_raw():
            start += part
            if len(start) >= DETAIL_BYTES:
                enough.cancel()
    return start[:DETAIL_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
