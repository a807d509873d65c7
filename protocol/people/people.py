"""Sessions, the audit log, and their REST views. Times are µs since 1970."""

from typing import Literal

import msgspec

from protocol.problems.coded import CodedView, code_of
from protocol.rest.shapes import Id
from protocol.times import format_us
from protocol.views import view_of

SESSION_S = 8 * 24 * 3600
TICKET_S = 30
# Per user. When another session begins, the oldest ends.
SESSIONS_MAX = 100
AUDIT_KEPT_DAYS = 90
AGENT_MAX = 200
SUBJECT_MAX = 200

Action = Literal[
    "signed_in",
    "sign_in_failed",
    "sign_in_refused",
    "signed_out",
    "session_ended",
    "password_changed",
    "password_reset_asked",
    "email_changed",
    "email_change_asked",
    "email_change_cancelled",
    "email_verification_sent",
    "email_verified",
    "second_factor_on",
    "second_factor_off",
    "recovery_code_used",
    "recovery_codes_renewed",
    "mqtt_listener_set",
    "mqtt_listener_deleted",
    "api_key_added",
    "api_key_deleted",
    "api_key_used",
    "device_added",
    "device_changed",
    "device_deleted",
    "device_credentials_renewed",
    "feed_added",
    "feed_changed",
    "feed_deleted",
    "history_exported",
    "history_imported",
    "history_deleted",
    "rejections_deleted",
    "media_added",
    "media_deleted",
    "schedule_added",
    "schedule_changed",
    "schedule_deleted",
    "product_added",
    "product_changed",
    "product_deleted",
    "order_added",
    "order_completed",
    "order_cancelled",
    "webhook_added",
    "webhook_changed",
    "webhook_deleted",
    "webhook_secret_renewed",
    "activity_exported",
    "account_disabled",
    "account_enabled",
    "account_exported",
]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session. Its token is valid while the session is stored. `id` is the token's `jti`.

    `address` and `agent` (User-Agent) are those of the sign-in request.
    """

    num: int = 0
    id: str
    user_id: str
    created_us: int
    expires_us: int
    address: str = ""
    agent: str = ""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An action on an account, or an attempt. `subject` names what was affected; `coded` is its
    code where it is no name (see `protocol.problems.detail`)."""

    num: int = 0
    user_id: str
    at_us: int
    action: Action
    subject: str = ""
    coded: str | None = None
    address: str = ""
    agent: str = ""


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """`current`: whether this request belongs to the session."""

    id: Id
    created_at: str
    expires_at: str
    address: str
    agent: str
    current: bool


class AuditView(CodedView, frozen=True, kw_only=True):
    """`code` and `params` say the same as `subject`; null: it is a name."""

    at: str
    action: Action
    subject: str
    address: str
    agent: str


class Ticket(msgspec.Struct, frozen=True):
    """Opens one WebSocket (`/ws/devices?ticket=…`) within `expires_in` seconds."""

    ticket: str
    expires_in: int = TICKET_S


def session_view(session: Session, current: str | None) -> SessionView:
    return view_of(SessionView, session, current=session.id == current)


def audit_view(entry: AuditEntry) -> AuditView:
    return view_of(AuditView, entry, at=format_us(entry.at_us), **code_of(entry.coded))
