"""Rows of the database as records, and the columns that they are made from."""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.device.alarms import AlarmRule
from protocol.records import Device, DeviceState, Feed, MqttLogin, User
from protocol.times import writable

USER = (
    "u.id::text AS user_id, u.email, u.full_name, u.password_hash, u.created_at AS user_created_at,"
    " u.idp, u.subject, u.revision AS user_revision"
)
DEVICE = (
    "d.num, d.id::text, d.user_id::text, d.code, d.name, d.offline_after_s, d.client_id,"
    " d.created_at, d.version, d.status, d.temperature, d.humidity, d.latitude, d.longitude,"
    " d.firmware, d.last_seen_at, d.state_at, d.session, d.offline_alarm, d.revision"
)
FEED = (
    "f.num, f.id::text, f.user_id::text, f.device_id::text, f.key, f.name, f.unit, f.kind,"
    " f.enabled, f.min_value, f.max_value, f.on_violation, f.archived, f.created_at,"
    " f.alarm_after_s, f.alarm_after_count, f.alarm_hysteresis, f.alarm_severity, f.retain_days,"
    " f.revision,"
    " l.ts AS last_at, l.number, l.text, l.boolean"
)
FEED_FROM = "feeds f LEFT JOIN feed_last l ON l.feed_num = f.num"
LOGIN = "username, client_id, password_sha256, user_id::text, code"


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into columns, one array for each parameter of a statement."""
    return [[row[n] for row in rows] for n in range(width)]


def unnested(first: int, types: Mapping[str, str]) -> str:
    """`unnest` of parameters, from that number on: arrays of these columns and types."""
    arrays = ", ".join(f"${first + n}::{kind}[]" for n, kind in enumerate(types.values()))
    return f"unnest({arrays})"


def user(row: Any) -> User:
    return User(
        id=row["user_id"],
        email=row["email"],
        full_name=row["full_name"],
        password_hash=row["password_hash"],
        created_us=row["user_created_at"],
        idp=row["idp"],
        subject=row["subject"],
        revision=row["user_revision"],
    )


def _time(us: int | None) -> int | None:
    return None if us is None else writable(us)


def device(row: Any) -> Device:
    return Device(
        num=row["num"],
        id=row["id"],
        user_id=row["user_id"],
        code=row["code"],
        name=row["name"],
        offline_after_s=row["offline_after_s"],
        client_id=row["client_id"],
        created_us=writable(row["created_at"]),
        offline_alarm=row["offline_alarm"],
        revision=row["revision"],
        state=DeviceState(
            version=row["version"],
            status=row["status"],
            temperature=row["temperature"],
            humidity=row["humidity"],
            latitude=row["latitude"],
            longitude=row["longitude"],
            firmware=row["firmware"],
            last_seen_us=_time(row["last_seen_at"]),
            state_us=_time(row["state_at"]),
            session=row["session"],
        ),
    )


def feed(row: Any) -> Feed:
    return Feed(
        num=row["num"],
        id=row["id"],
        user_id=row["user_id"],
        device_id=row["device_id"],
        key=row["key"],
        name=row["name"],
        unit=row["unit"],
        kind=row["kind"],
        enabled=row["enabled"],
        min_value=row["min_value"],
        max_value=row["max_value"],
        on_violation=row["on_violation"],
        alarm=AlarmRule(
            after_s=row["alarm_after_s"],
            after_count=row["alarm_after_count"],
            hysteresis=row["alarm_hysteresis"],
            severity=row["alarm_severity"],
        ),
        archived=row["archived"],
        retain_days=row["retain_days"],
        revision=row["revision"],
        created_us=row["created_at"],
        last_value=value(row),
        last_us=row["last_at"],
    )


def value(row: Any) -> Any:
    """The one of three typed columns that is set."""
    if row["number"] is not None:
        return row["number"]
    return row["text"] if row["text"] is not None else row["boolean"]


def login(row: Any) -> MqttLogin:
    return MqttLogin(
        username=row["username"],
        client_id=row["client_id"],
        password_sha256=row["password_sha256"],
        user_id=row["user_id"],
        device_code=row["code"],
    )
