"""Signing in with Zalo: its OAuth v4 code exchange and its profile, by httpx on Trio.

Address and form of both calls are from Zalo's document "Social API v4". Zalo reports a refusal with
status 200 and an `error` other than 0.
"""

import hashlib
import hmac
import re
from typing import Any

import httpx
import msgspec
import structlog
import trio

from actors.ports.identity import Identity
from protocol.errors import BadGateway, Unauthorized, in_words
from protocol.ids import is_uuid
from protocol.problems.detail import Detail

log = structlog.get_logger("roost.zalo")

OAUTH_URL = "https://oauth.zaloapp.com"
GRAPH_URL = "https://graph.zalo.me"
ANSWER_WITHIN_S = 10.0
ANSWER_BYTES_MAX = 64 << 10
NAME_MAX = 200

# Zalo's ids are digits; if that changes, none can be like an id of Roost.
_SUBJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ZaloSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An application that is registered with Zalo, and Zalo's addresses."""

    app_id: str
    app_secret: str
    oauth_url: str = OAUTH_URL
    graph_url: str = GRAPH_URL


class Zalo:
    """See `actors.ports.identity.IdentityProvider`."""

    def __init__(self, settings: ZaloSettings) -> None:
        self._settings = settings
        # Reading the machine's certificates takes 50 ms: done once, and not during a request.
        self._context = httpx.create_ssl_context()

    async def identify(self, code: str, code_verifier: str | None) -> Identity:
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                async with httpx.AsyncClient(
                    verify=self._context, trust_env=False, timeout=ANSWER_WITHIN_S
                ) as client:
                    token = await self._exchange(client, code, code_verifier)
                    return await self._profile(client, token)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("Zalo cannot be reached", error=in_words(error))
            raise BadGateway(Detail("zalo_unreachable")) from None
        except trio.TooSlowError:
            log.warning("Zalo does not answer")
            raise BadGateway(Detail("zalo_silent")) from None

    async def _exchange(
        self, client: httpx.AsyncClient, code: str, code_verifier: str | None
    ) -> str:
        form = {
            "code": code,
            "app_id": self._settings.app_id,
            "grant_type": "authorization_code",
        }
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        said = await _asked(
            client,
            "POST",
            f"{self._settings.oauth_url}/v4/access_token",
            {"secret_key": self._settings.app_secret},
            data=form,
        )
        token = said.get("access_token")
        # It becomes a header, which may only have visible ASCII characters.
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise _puzzled("no access token")
        return token

    async def _profile(self, client: httpx.AsyncClient, token: str) -> Identity:
        secret = self._settings.app_secret.encode()
        proof = hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()
        said = await _asked(
            client,
            "GET",
            f"{self._settings.graph_url}/v2.0/me",
            {"access_token": token, "appsecret_proof": proof},
            params={"fields": "id,name,picture"},
        )
        subject, name = said.get("id"), said.get("name")
        if isinstance(subject, int) and not isinstance(subject, bool):
            subject = str(subject)
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject) or is_uuid(subject):
            raise _puzzled("no id")
        return Identity(subject, _clean(name))


async def _asked(
    client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], **options: Any
) -> dict[str, Any]:
    """The object that Zalo returns.

    Raises:
        Unauthorized: Zalo refuses.
        BadGateway: Zalo's answer is something else.
    """
    body = b""
    async with client.stream(method, url, headers=headers, **options) as answer:
        with trio.CancelScope() as enough:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    enough.cancel()
    if enough.cancelled_caught:
        raise _puzzled("too long an answer")
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _puzzled(f"status {answer.status_code} without JSON") from None
    if not isinstance(said, dict) or answer.status_code >= 500:
        raise _puzzled(f"status {answer.status_code}")
    if said.get("error") or not answer.is_success:
        log.info("Zalo refuses", error=said.get("error"), name=str(said.get("error_name"))[:100])
        raise Unauthorized(Detail("zalo_refused"))
    return said


def _puzzled(what: str) -> BadGateway:
    log.warning("unexpected answer from Zalo", what=what)
    return BadGateway(Detail("zalo_not_understood"))


def _clean(name: object) -> str | None:
    """A name as Roost stores it: some characters of text, or none."""
    if not isinstance(name, str):
        return None
    text = "".join(c for c in name if c.isprintable())[:NAME_MAX].strip()
    return text.encode("utf-8", "replace").decode() or None
