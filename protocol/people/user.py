"""Accounts."""

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. A user of another identity provider (`idp`) is known there as `subject`, and may
    have no email and no password here.

    `email_verified_us`: since when the address is known to be the user's. `email_pending`: a new
    address, which replaces `email` once its link was opened.
    `disabled_us`: since when nothing that belongs to it works, and nobody signs in. `erasing_us`:
    since when it is being erased; it is disabled as well.
    """

    id: str
    email: str | None
    full_name: str | None
    password_hash: str | None
    created_us: int
    idp: str = "roost"
    subject: str | None = None
    revision: int = 1
    disabled_us: int | None = None
    erasing_us: int | None = None
    email_verified_us: int | None = None
    email_pending: str | None = None

    @property
    def unconfirmed(self) -> str | None:
        """The address for which a link waits, or could."""
        is_known = self.email_verified_us is not None
        return self.email_pending or (None if is_known else self.email)


class DisabledUser(msgspec.Struct, frozen=True, kw_only=True):
    """A disabled account, as far as those need it who lock it out or erase it."""

    id: str
    disabled_us: int
    is_erased: bool


class ErasureLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What an account still has while it is being erased."""

    devices: int
    feeds: int
    media: int
