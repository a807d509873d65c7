"""404: one text for each kind of object, whatever is wrong with its id."""

import pytest

from tests.unit.site import Site
from web.app import APIS
from web.http.missing import CODES
from web.http.operation import Auth

UNKNOWN = "00000000-0000-4000-8000-000000000000"
CALLS = {
    "alarm_id": ("POST", "/alarms/{}/ack"),
    "command_id": ("DELETE", "/commands/{}"),
    "delivery_id": ("POST", f"/webhooks/{UNKNOWN}/deliveries/{{}}/retry"),
    "device_id": ("GET", "/devices/{}"),
    "feed_id": ("GET", "/feeds/{}"),
    "key_id": ("DELETE", "/api-keys/{}"),
    "media_id": ("GET", "/media/{}"),
    "order_id": ("DELETE", "/orders/{}"),
    "product_id": ("GET", "/products/{}"),
    "rejection_id": ("DELETE", "/rejected-messages/{}"),
    "schedule_id": ("GET", "/media-schedules/{}"),
    "session_id": ("DELETE", "/sessions/{}"),
    "webhook_id": ("GET", "/webhooks/{}"),
}


def test_every_id_in_a_path_has_a_name_for_people() -> None:
    calls = [each for api in APIS for each in api.operations]
    paths = [each.path for each in calls if each.auth is not Auth.DEVICE]  # which name no object
    ids = {part.strip("<>") for path in paths for part in path.split("/") if part.startswith("<")}
    assert ids == set(CODES) == set(CALLS)


@pytest.mark.parametrize("parameter", CALLS)
async def test_a_malformed_id_and_an_unknown_one_get_the_same_answer(
    site: Site, parameter: str
) -> None:
    method, path = CALLS[parameter]
    malformed = await site.call(method, path.format("not-a-uuid"))
    unknown = await site.call(method, path.format(UNKNOWN))
    assert malformed == unknown
    assert (malformed[0], malformed[1]["code"]) == (404, CODES[parameter])


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/api-keys/x", "API key not found"),
        ("/rejected-messages/x", "Rejected message not found"),
    ],
)
async def test_a_missing_object_has_the_name_that_people_know(
    site: Site, path: str, detail: str
) -> None:
    _, problem = await site.call("DELETE", path)
    assert problem["detail"] == detail
