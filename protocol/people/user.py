"""Accounts."""

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. A user of another identity provider (`idp`) is known there as `subject`, and may
    have no email and no password here."""

    id: str
    email: str | None
    full_name: str | None
    password_hash: str | None
    created_us: int
    idp: str = "roost"
    subject: str | None = None
    revision: int = 1
