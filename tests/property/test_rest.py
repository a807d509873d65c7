"""Bodies over REST: whatever is sent, the answer is one that the document has, and no mistake."""

import json
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.problems.detail import TEXTS
from tests.property.strategies import any_bytes, nearly_a_body, pieces, short_texts, written
from tests.unit.site import ACCOUNT, Site, open_site
from web.app import APIS
from web.http.operation import Form, Json, Operation
from web.http.routing import PREFIX

OPERATIONS = [
    operation
    for api in APIS
    for operation in api.operations
    if operation.method in ("POST", "PATCH", "PUT")
]
TYPES = [
    "application/json",
    "",
    "text/plain; charset=nothing",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
]
PARTS = [b"--x\r\n", b"--x--\r\n", b"\r\n", b"Content-Disposition: form-data", b'; name="username"']
forms = st.lists(st.sampled_from(PARTS) | st.binary(max_size=4), max_size=8).map(b"".join) | (
    st.builds(
        lambda name, word: f"username={name}&password={word}".encode("utf-8", "surrogatepass"),
        short_texts | st.just(ACCOUNT["email"]),
        short_texts | st.just(ACCOUNT["password"]),
    )
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Operation, bytes, str]:
    operation = draw(st.sampled_from(OPERATIONS))
    body = operation.body
    right = nearly_a_body(body.shape) if isinstance(body, Json | Form) else pieces
    data = draw(st.one_of(written(right), written(right), any_bytes, forms))
    return operation, data, draw(st.sampled_from([*TYPES[:1] * 5, *TYPES]))


class Documented:
    """A site with a device and a feed, and what its document says of each operation."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.paths: dict[str, Any] = {}
        self.ids: dict[str, str] = {}

    async def prepare(self) -> None:
        document = await (await self.site.raw("GET", "/openapi.json")).get_json()
        self.paths = document["paths"]
        device = await self.site.device()
        feed = {"key": "t", "name": "t", "device_id": device["id"]}
        _, made = await self.site.post("/feeds", feed)
        offer = {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": 50}
        _, product = await self.site.post("/products", offer)
        self.ids = {"device_id": device["id"], "feed_id": made["id"], "product_id": product["id"]}

    async def ask(self, operation: Operation, data: bytes, content_type: str) -> None:
        path = operation.path
        for name, value in self.ids.items():
            path = path.replace(f"<{name}>", value)
        headers = {"Content-Type": content_type} if content_type else {}
        answer = await self.site.raw(operation.method, PREFIX + path, data=data, headers=headers)
        described = self.paths[PREFIX + operation.path.replace("<", "{").replace(">", "}")]
        status = answer.status_code
        assert status < 500
        assert str(status) in described[operation.method.lower()]["responses"], (status, path)
        content = await answer.get_data()
        if status == 204:
            assert not content
            return
        body = json.loads(content)
        if status < 400:
            assert answer.content_type == "application/json"
            return
        assert answer.content_type == "application/problem+json"
        assert (body["type"], body["status"]) == ("about:blank", status)
        assert body["title"] and body["detail"]
        assert bool(body.get("errors")) == (status == 422)
        assert body["code"] in TEXTS
        assert body.get("error_codes", {}).keys() == body.get("errors", {}).keys()


async def all_answered(requests: list[tuple[Operation, bytes, str]]) -> None:
    async with open_site() as site:
        documented = Documented(site)
        await documented.prepare()
        signed_in = site.headers
        for request in requests:
            await documented.ask(*request)
            if request[0].path == "/logout" or request[0].name == "delete_me":
                # It may have been deleted: then the address is free in a moment.
                while (await site.post("/login/access-token", ACCOUNT))[0] == 403:
                    await trio.sleep(0.01)
                await site.sign_in()
                signed_in = site.headers
            site.headers = signed_in


@settings(max_examples=15)
@given(st.lists(requests(), min_size=4, max_size=10))
def test_any_body_gets_an_answer_that_is_documented_and_no_5xx(
    sent: list[tuple[Operation, bytes, str]],
) -> None:
    trio.run(all_answered, sent)
