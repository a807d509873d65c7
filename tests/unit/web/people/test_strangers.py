"""Every operation, asked by nobody and by somebody else: 401, and nothing of what is another's."""

from typing import Any

from actors.ports.store import Batch
from protocol.errors import Reason
from protocol.records import Rejection, WriteUnit
from tests.unit.site import ACCOUNT, Site
from web.app import APIS
from web.http.examples import EXAMPLES
from web.http.operation import Auth, Content, Csv, Json, Operation
from web.http.routing import PREFIX

OPERATIONS = {
    f"{operation.method} {operation.path}": operation
    for api in APIS
    for operation in api.operations
    if operation.auth is not Auth.PUBLIC
}
ALARM = "00000000-0000-4000-8000-00000000a1a2"  # nobody has it: as good as another's


async def ids_of_ada(site: Site) -> dict[str, str]:
    """One of everything that has an id in a path."""

    async def made(path: str, body: Any) -> str:
        status, answer = await site.post(path, body)
        assert status in (200, 201, 202), answer
        return str(answer["id"])

    device = await made("/devices", {"device_code": "d1", "name": "d1"})
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'Content-Disposition: form-data; name="file"; filename="a.txt"'
    part = b"--x\r\n" + head + b"\r\n\r\nhi\r\n--x--\r\n"
    _, media = await site.call("POST", "/media", data=part, headers=headers)
    plan = {"device_id": device, "media_id": media["id"], "trigger_time": "2099-01-01T00:00:00Z"}
    product = await made("/products", {"name": "Lamp", "sku": "L", "price": "1", "stock": 3})
    order = {"items": [{"product_id": product, "quantity": 1}]}
    webhook = await made("/webhooks", {"url": "https://receiver.example/"})
    _, sessions = await site.call("GET", "/sessions")
    return {
        "device_id": device,
        "feed_key": "t",
        "feed_id": await made("/feeds", {"key": "t", "name": "t", "device_id": device}),
        "command_id": await made(f"/devices/{device}/commands", {"type": "beep"}),
        "media_id": media["id"],
        "schedule_id": await made("/media-schedules", plan),
        "product_id": product,
        "order_id": await made("/orders", order),
        "webhook_id": webhook,
        "delivery_id": await made(f"/webhooks/{webhook}/test", {}),
        "key_id": await made("/api-keys", {"name": "script"}),
        "session_id": sessions["items"][0]["id"],
        "alarm_id": ALARM,
        "rejection_id": await refused(site),
    }


async def refused(site: Site) -> str:
    """A refusal of hers."""
    _, me = await site.call("GET", "/users/me")
    topic = f"users/{me['id']}/devices/d1/feeds/t"
    row = Rejection(me["id"], "", 0, topic, "x", "utf-8", Reason.NOT_JSON, "no JSON")
    unit = WriteUnit(device=(me["id"], "d1"), rejections=(row,))
    await site.service.store.commit(Batch(id=site.service.ids.uuid(), units=[unit], confirmed={}))
    _, found = await site.call("GET", "/rejected-messages")
    return str(found["items"][0]["id"])


async def ask(site: Site, operation: Operation, ids: dict[str, str]) -> tuple[int, Any]:
    path = operation.path
    for name, value in ids.items():
        path = path.replace(f"<{name}>", value)
    assert "<" not in path, path
    options: dict[str, Any] = {}
    if isinstance(operation.body, Csv):
        options = {"data": b"ts,value\n", "headers": {"Content-Type": "text/csv"}}
    elif isinstance(operation.body, Json):
        options = {"json": EXAMPLES[operation.body.shape]}
    answer = await site.raw(operation.method, PREFIX + path, **options)
    return answer.status_code, await answer.get_json()


async def be_bob(site: Site) -> None:
    """Somebody else is signed in from now on."""
    bob = {**ACCOUNT, "email": "bob@example.org"}
    await site.post("/users", bob)
    _, token = await site.post("/login/access-token", bob)
    site.headers = {"x-auth-token": token["access_token"]}


async def test_nobody_gets_anything(site: Site) -> None:
    ids = await ids_of_ada(site)
    site.headers = {}
    for name, operation in OPERATIONS.items():
        status, problem = await ask(site, operation, ids)
        assert (status, problem["title"]) == (401, "Not signed in"), name


async def test_somebody_else_finds_nothing_and_changes_nothing(site: Site) -> None:
    ids = await ids_of_ada(site)
    ada = site.headers
    await be_bob(site)
    asked = [
        each
        for each in OPERATIONS.values()
        if "<" in each.path and each.auth is not Auth.DEVICE  # nobody is signed in there
    ]
    assert len(asked) > 30
    for operation in asked:
        status, _ = await ask(site, operation, ids)
        assert status == 404, f"{operation.method} {operation.path}"
    site.headers = ada
    shown = [
        each for each in asked if each.method == "GET" and not isinstance(each.answer, Content)
    ]
    for operation in shown:
        status, _ = await ask(site, operation, ids)
        assert status == 200, f"{operation.path} is not as it was"


async def test_a_commands_id_tells_nobody_that_another_user_has_it(site: Site) -> None:
    chosen = {"type": "beep", "id": "3f0a8c1e-58d4-4d34-9f0e-6a7b5c4d3e2f"}

    async def sent(code: str) -> tuple[int, Any]:
        device = await site.device(code)
        return await site.post(f"/devices/{device['id']}/commands", chosen)

    status, first = await sent("d1")
    assert status == 201
    status, problem = await sent("d2")
    assert (status, problem["code"]) == (409, "id_used")
    await be_bob(site)
    status, made = await sent("d1")
    assert (status, made["id"]) == (201, first["id"])
    path = f"/commands/{made['id']}"
    assert (await site.call("DELETE", path))[0] == 204
    assert (await site.call("DELETE", path))[0] == 409
    await site.sign_in()
    assert (await site.call("GET", path))[1]["state"] in ("queued", "sent")
