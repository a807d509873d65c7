"""The owner of a virtual fleet, over REST: signs in, registers devices, counts stored readings."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import trio

from protocol.errors import RoostError, SettingsError, Unavailable, in_words
from protocol.rest.shapes import Readiness
from protocol.times import SECOND_US, format_us
from roost.fleet.device import Access

AT_ONCE = 8
IMPORT_MAX = 500  # devices per file
PAGE = 1_000
PATIENCE = 20  # retries when the server is busy
PAUSE_MAX_S = 60.0
ANSWER_WITHIN_S = 60.0
STATS_SPAN_US = 4 * 3600 * SECOND_US  # the longest span that is counted by minutes

Progress = Callable[[int, int], None]  # (done, total)


class Refused(RoostError):
    """The server refused a valid request."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Token(msgspec.Struct):
    access_token: str


class Account:
    """One signed-in user. All methods raise `Unavailable` if the server does not answer, and
    `Refused` if it refuses."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._login: dict[str, str] | None = None

    async def sign_in(self, email: str, password: str) -> None:
        self._login = None
        login = {"email": email, "password": password}
        answer = await self._ask("POST", "/login/access-token", json=login)
        try:
            token = msgspec.json.decode(answer.content, type=_Token)
        except msgspec.MsgspecError:
            raise _not_a_roost(self._http) from None
        self._http.headers["x-auth-token"] = token.access_token
        self._login = login

    async def sign_up(self, email: str, password: str) -> None:
        await self._ask("POST", "/users", json={"email": email, "password": password})

    async def devices(self, prefix: str) -> dict[str, str]:
        """The ids of devices whose codes have this prefix, by code."""
        found = await self._all("/devices", q=prefix)
        return {
            each["device_code"]: each["id"]
            for each in found
            if each["device_code"].startswith(prefix)
        }

    async def count_devices(self) -> int:
        stats = (await self._ask("GET", "/dashboard/stats")).json()
        return int(stats["total_devices"])

    async def add_devices(
        self, wishes: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, str], dict[str, Access]]:
        """Register up to `IMPORT_MAX` devices (code, name), all or none. Returns their ids and
        logins, by code. They have no offline alarm, because they disconnect together."""
        file = io.StringIO()
        csv.writer(file).writerows(
            [
                ("device_code", "name", "offline_alarm"),
                *((code, name, "false") for code, name in wishes),
            ]
        )
        answer = await self._ask(
            "POST",
            "/devices/import",
            content=file.getvalue().encode(),
            headers={"Content-Type": "text/csv"},
        )
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        return (
            {row["device_code"]: row["id"] for row in rows},
            {row["device_code"]: _access(row) for row in rows},
        )

    async def renew(self, device_id: str) -> tuple[Access, str]:
        """New credentials of a device, and the address to connect to (a URL, or "")."""
        answer = await self._ask("POST", f"/devices/{device_id}/credentials")
        made = answer.json()["mqtt"]
        return _access(made), made["url"] or ""

    async def feeds(self, key: str) -> set[str]:
        """The ids of devices that have a feed with this key."""
        found = await self._all("/feeds", q=key)
        return {each["device_id"] for each in found if each["key"] == key and each["device_id"]}

    async def add_feed(self, feed: dict[str, Any]) -> None:
        await self._ask("POST", "/feeds", json=feed)

    async def stored(self, since_us: int, until_us: int) -> int:
        """How many readings of the user are stored since the minute of `since_us`."""
        many = 0
        start_us = since_us - since_us % (60 * SECOND_US)
        while start_us < until_us:
            end_us = min(start_us + STATS_SPAN_US, until_us)
            span = {"start": format_us(start_us), "end": format_us(end_us)}
            stats = (await self._ask("GET", "/dashboard/stats", params=span)).json()
            many += sum(point["count"] for point in stats["feed_values"]["points"])
            start_us = end_us
        return many

    async def trouble(self) -> str:
        """Why the server may be behind, as it reports itself; "" if it is well."""
        try:
            answer = await self._http.get("/readyz")
            said = msgspec.json.decode(answer.content, type=Readiness)
        except (httpx.HTTPError, httpx.InvalidURL):
            return f"{_where(self._http)} does not answer"
        except msgspec.MsgspecError:
            return ""  # a proxy answers, which has no such page
        if said.status == "ready":
            return ""
        wrong = [f"{name}: {what}" for name, what in said.checks.items() if what != "ok"]
        return f"the server is {said.status} ({', '.join(wrong)})"

    async def _all(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = await self._ask("GET", path, params={**query, "limit": PAGE, **more})
            page = answer.json()
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        for _ in range(PATIENCE):
            where = _where(self._http)
            try:
                answer = await self._http.request(method, f"/api/v1{path}", **more)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Unavailable(f"no Roost answers at {where}: {in_words(error)}") from None
            if answer.status_code == 401 and self._login is not None:  # the login lasts eight days
                await self.sign_in(**self._login)
                continue
            if answer.status_code not in (429, 503):
                break
            await trio.sleep(_pause_s(answer))
        if answer.is_redirect:
            raise SettingsError(f"url: {where} leads to {answer.headers.get('Location')}")
        if answer.is_server_error or answer.status_code == 429:
            raise Unavailable(f"{where} does not serve: {_why(answer)}")
        if answer.is_error:
            raise Refused(answer.status_code, _why(answer))
        if not answer.headers.get("Content-Type", "").startswith(("application/json", "text/csv")):
            raise _not_a_roost(self._http)
        return answer


async def side_by_side(work: Sequence[Callable[[], Awaitable[None]]], progress: Progress) -> None:
    """Do all of it, several at once."""
    limit = trio.CapacityLimiter(AT_ONCE)
    done = 0

    async def one(each: Callable[[], Awaitable[None]]) -> None:
        nonlocal done
        async with limit:
            await each()
        done += 1
        progress(done, len(work))

    async with trio.open_nursery() as nursery:
        for each in work:
            nursery.start_soon(one, each)


def _where(http: httpx.AsyncClient) -> str:
    return str(http.base_url).rstrip("/")


def _not_a_roost(http: httpx.AsyncClient) -> SettingsError:
    return SettingsError(f"url: what answers at {_where(http)} is not a Roost")


def _access(made: dict[str, str]) -> Access:
    return Access(made["client_id"], made["username"], made["password"], made["topic_prefix"])


def _pause_s(answer: httpx.Response) -> float:
    """The pause that the server asks for, a minute at most; a second if it gives none."""
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), PAUSE_MAX_S) if asked.isascii() and asked.isdigit() else 1.0


def _why(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


@asynccontextmanager
async def open_account(url: str) -> AsyncIterator[Account]:
    async with httpx.AsyncClient(base_url=url, timeout=ANSWER_WITHIN_S) as http:
        yield Account(http)
