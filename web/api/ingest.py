"""REST calls for devices without MQTT: they post what they would publish."""

from protocol.device.topics import Kind, Topic
from protocol.rest.ingesting import IngestView
from web.http.context import Call
from web.http.examples import READING_EXAMPLE, READINGS_MESSAGE_EXAMPLE, STATUS_EXAMPLE
from web.http.operation import Auth, Json, Raw
from web.http.routing import Api

api = Api("ingest")


@api.operation(
    "POST",
    "/ingest/feeds/<feed_key>",
    auth=Auth.DEVICE,
    body=Raw(READING_EXAMPLE),
    answer=Json(IngestView),
)
async def post_reading(call: Call, feed_key: str) -> IngestView:
    """Send one reading, as on the MQTT topic `feeds/KEY`."""
    return await _posted(call, Kind.READING, feed_key)


@api.operation(
    "POST",
    "/ingest/feeds",
    auth=Auth.DEVICE,
    body=Raw(READINGS_MESSAGE_EXAMPLE),
    answer=Json(IngestView),
)
async def post_readings(call: Call) -> IngestView:
    """Send several readings, as on the MQTT topic `feeds`."""
    return await _posted(call, Kind.READINGS)


@api.operation(
    "POST",
    "/ingest/status",
    auth=Auth.DEVICE,
    body=Raw(STATUS_EXAMPLE),
    answer=Json(IngestView),
)
async def post_status(call: Call) -> IngestView:
    """Send a status, as on the MQTT topic `status`."""
    return await _posted(call, Kind.STATUS)


async def _posted(call: Call, kind: Kind, tail: str = "") -> IngestView:
    """The answer is 200 after the commit, also for what was refused, as on MQTT: the body says what
    became of each reading."""
    login = call.login
    topic = Topic((login.user_id, login.device_code), kind, tail, is_urgent=kind is Kind.STATUS)
    return await call.service.posts.take(topic, await call.data())
