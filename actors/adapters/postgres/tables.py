"""The tables of nouns: in which columns each record is stored.

A new field needs a migration and a field in the record. It is named here only if people may change
it, or if it breaks the rules of `wire/table.py`.
"""

from actors.adapters.postgres.wire.table import Table
from protocol.dead_letters import DeadLetter
from protocol.device.alarms import Alarm
from protocol.device.commands import Command
from protocol.device.listeners import Listener
from protocol.device.refusals import StoredRejection
from protocol.media.media import Media
from protocol.people.access import ApiKey
from protocol.people.people import AuditEntry, Session
from protocol.people.second_factor import SecondFactor
from protocol.people.user import User
from protocol.records import Device, Feed, MqttLogin
from protocol.schedule.schedules import Occurrence, Schedule
from protocol.shop.shop import Order, Product
from protocol.webhook.deliveries import Webhook, WebhookDelivery

# Sessions and keys are read together with their users; the columns of users have a prefix.
USERS = Table(
    "users u",
    User,
    settings=("email", "full_name", "password_hash", "email_verified_us", "email_pending"),
    label="user_",
)
SESSIONS = Table("sessions s", Session)
AUDIT = Table("audit_log l", AuditEntry, named={"at_us": "at"})
SECOND_FACTORS = Table("second_factors f", SecondFactor)
API_KEYS = Table("api_keys k", ApiKey)
LISTENERS = Table(
    "listeners n",
    Listener,
    settings=("username", "password_sha256", "home_assistant", "created_us"),
)

DEVICES = Table(
    "devices d",
    Device,
    settings=("name", "offline_after_s", "offline_alarm"),
    spread={"state": ""},
    texts=("client_id",),
)
LOGINS = Table("devices d", MqttLogin, named={"device_code": "code"}, texts=("client_id",))
# The last value is one of three columns (`rows.value`).
FEEDS = Table(
    "feeds f",
    Feed,
    joins="LEFT JOIN feed_last l ON l.feed_num = f.num",
    settings=(
        *("name", "unit", "enabled", "min_value", "max_value", "on_violation", "alarm"),
        "retain_days",
    ),
    spread={"alarm": "alarm_"},
    elsewhere={"last_us": "l.ts"},
    given=("last_value",),
)
REJECTIONS = Table("rejected_messages r", StoredRejection)
ALARMS = Table(
    "alarms a",
    Alarm,
    joins="JOIN devices d ON d.num = a.device_num LEFT JOIN feeds f ON f.num = a.feed_num",
    elsewhere={"device_id": "d.id", "feed_id": "f.id"},
)
COMMANDS = Table(
    "commands c",
    Command,
    joins="JOIN devices d ON d.num = c.device_num",
    elsewhere={"device_id": "d.id", "device_code": "d.code"},
)

NEXT_AT = (
    "(SELECT min(n.due_at) FROM schedule_occurrences n"
    " WHERE n.schedule_num = s.num AND n.state = 'pending')"
)

DEAD_LETTERS = Table("dead_letters l", DeadLetter)
MEDIA = Table("media m", Media)
SCHEDULES = Table(
    "media_schedules s",
    Schedule,
    settings=(
        *("device_id", "media_id", "trigger_us", "timezone", "recurrence", "exclusions"),
        *("misfire", "grace_s", "enabled", "planned_us", "plan_us"),
    ),
    elsewhere={"next_us": NEXT_AT},
)
OCCURRENCES = Table(
    "schedule_occurrences o",
    Occurrence,
    joins="JOIN media_schedules s ON s.num = o.schedule_num",
    elsewhere={"schedule_id": "s.id", "user_id": "s.user_id", "device_id": "s.device_id"},
)
PRODUCTS = Table("products p", Product, settings=("name", "sku", "description", "price", "stock"))
ORDERS = Table("orders o", Order, given=("items",))
WEBHOOKS = Table(
    "webhooks w", Webhook, settings=("url", "events", "secret", "description", "enabled")
)
DELIVERIES = Table(
    "webhook_deliveries d", WebhookDelivery, joins="JOIN webhooks w ON w.num = d.webhook_num"
)
