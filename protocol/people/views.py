"""Request and response bodies about users (CONTRACT §2)."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.people.user import User
from protocol.rest.patterns import EMAIL
from protocol.rest.shapes import Name
from protocol.times import format_us

Email = Annotated[str, Meta(max_length=254, pattern=EMAIL)]
Password = Annotated[str, Meta(min_length=8, max_length=256)]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`code`: of the authenticator app, or a recovery code, if the account has a second factor."""

    email: str
    password: str
    code: str | None = None


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Email
    password: Password
    full_name: Name | None = None


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new password or email needs `current_password`, and ends all sessions. `revoke`: it also
    ends API keys and the read-only MQTT login.

    Where mail is set up, a new email counts once the link in the mail to it was opened."""

    full_name: Name | UnsetType | None = UNSET
    email: Email | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    current_password: str | UnsetType = UNSET
    revoke: bool = False


class ZaloCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code from Zalo's page; `code_verifier` if sign-in began with a challenge (PKCE)."""

    code: Annotated[str, Meta(min_length=1, max_length=2048)]
    code_verifier: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class AccountDeletion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`password`; or `code` of a new sign-in with Zalo, for an account of Zalo, with
    `code_verifier` if it began with a challenge."""

    password: str | UnsetType = UNSET
    code: Annotated[str, Meta(min_length=1, max_length=2048)] | UnsetType = UNSET
    code_verifier: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int
    token_type: str = "bearer"


class UserView(msgspec.Struct, frozen=True):
    """`idp`: the identity provider; `roost` for a password. `email_pending`: a new address, which
    replaces `email` once the link in the mail to it was opened."""

    id: str
    email: str | None
    full_name: str | None
    created_at: str
    idp: str
    email_verified: bool
    email_pending: str | None


def user_view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        full_name=user.full_name,
        created_at=format_us(user.created_us),
        idp=user.idp,
        email_verified=user.email_verified_us is not None,
        email_pending=user.email_pending,
    )


class AccountView(msgspec.Struct, frozen=True):
    """What became of a device's readings since this server started (invariant I4). `limited`: above
    the rate of the device or its user, counted and not kept. `refusals_not_kept`: refusals beyond
    the budget, counted since the device was created, or since thirty days without one."""

    received: int
    stored: int
    duplicate: int
    refused: int
    limited: int
    shed: int
    unowned: int
    in_flight: int
    refusals_not_kept: int = 0
    refusals_not_kept_at: str | None = None
