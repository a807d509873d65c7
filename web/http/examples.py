"""An example of each body, for the OpenAPI document; each is accepted."""

from typing import Any

from protocol.device.alarms import AlarmsToAcknowledge
from protocol.device.commands import NewCommand
from protocol.device.feed_views import FeedChange, NewFeed
from protocol.device.listeners import NewListener
from protocol.device.views import DeviceChange, NewDevice
from protocol.people.access import EmailToken, NewApiKey, PasswordReset, ResetAsked
from protocol.people.second_factor import CodeSent, PasswordAgain
from protocol.people.views import (
    AccountDeletion,
    Credentials,
    NewUser,
    UserChange,
    ZaloCode,
)
from protocol.schedule.schedules import NewSchedule, ScheduleChange
from protocol.shop.views import NewOrder, NewProduct, OrderChange, ProductChange
from protocol.webhook.views import NewWebhook, WebhookChange

_DEVICE = "0b1f6c1e-52a1-4e0c-9d0a-6f3f2f1f7a10"
_MEDIA = "7a6b2f4e-9c53-4d1e-8a55-0d8d6a4c2b11"
_ALARM = "4d5c1f0a-7e2b-4b1c-8f3d-2a9e6c5b7d13"
_PRODUCT = "c8f1d3a2-3b64-4f57-b0c9-5e2a7d9e4c12"

DEVICES_EXAMPLE = "device_code,name\nshed-1,Shed\n"
READING_EXAMPLE = {"value": 21.5, "ts": "2026-01-31T08:05:00Z"}
READINGS_MESSAGE_EXAMPLE = {"temperature": 21.5, "humidity": 60}
STATUS_EXAMPLE = {"status": "online", "firmware": "1.4.2"}
READINGS_EXAMPLE = "ts,value\n2026-01-31T08:05:00Z,21.5\n"

EXAMPLES: dict[Any, dict[str, Any]] = {
    Credentials: {"email": "grace@example.org", "password": "correct-horse"},
    NewUser: {"email": "grace@example.org", "password": "correct-horse", "full_name": "Grace"},
    UserChange: {"full_name": "Grace H."},
    PasswordAgain: {"current_password": "correct-horse"},
    CodeSent: {"code": "123456"},
    ZaloCode: {"code": "code-from-the-page", "code_verifier": "verifier-of-the-page"},
    AccountDeletion: {"password": "battery-staple"},
    ResetAsked: {"email": "grace@example.org"},
    PasswordReset: {"token": "token-of-the-link", "password": "battery-staple"},
    EmailToken: {"token": "token-of-the-link"},
    NewApiKey: {"name": "backup script", "scope": "read", "expires_at": "2099-01-01T00:00:00Z"},
    NewListener: {"home_assistant": True},
    NewDevice: {"device_code": "shed-1", "name": "Garden shed", "offline_after_s": 600},
    DeviceChange: {"name": "Garden shed, north"},
    NewFeed: {
        "key": "temperature",
        "name": "Temperature",
        "unit": "°C",
        "min_value": -40,
        "max_value": 60,
        "on_violation": "flag",
        "alarm": {"after_s": 300, "hysteresis": 1, "severity": "critical"},
        "retain_days": 730,
    },
    FeedChange: {"max_value": 45, "retain_days": 365},
    AlarmsToAcknowledge: {"ids": [_ALARM]},
    NewCommand: {"type": "beep", "payload": {"times": 2}, "ttl_s": 60},
    NewSchedule: {
        "media_id": _MEDIA,
        "device_id": _DEVICE,
        "trigger_time": "2099-03-02T06:30:00Z",
        "timezone": "Europe/Berlin",
        "recurrence": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "misfire": "fire",
        "grace_s": 600,
    },
    ScheduleChange: {"trigger_time": "2099-03-02T07:00:00Z", "enabled": True},
    NewWebhook: {
        "url": "https://receiver.example/roost",
        "events": ["alarm.raised", "schedule.missed"],
        "description": "pager",
    },
    WebhookChange: {"enabled": False},
    NewProduct: {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": 50},
    ProductChange: {"price": "8.50"},
    NewOrder: {"items": [{"product_id": _PRODUCT, "quantity": 2}], "note": "by the back door"},
    OrderChange: {"status": "completed"},
}
