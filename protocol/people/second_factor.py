"""A second factor: codes of an authenticator app, and recovery codes for when the app is lost.

Nothing here waits or asks a clock: what became of a factor is stored by whoever called, in the
transaction that read it, so that a code counts once.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.errors import Conflict, Forbidden
from protocol.people import totp
from protocol.problems.detail import Detail

RECOVERY_CODES = 10
# 80 bits, sixteen letters and digits: nobody guesses one, so a quick hash will do.
RECOVERY_BYTES = 10
CODE_MAX = 64

WRONG = Detail("second_factor_wrong")

_APP_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_GROUP = 4

Kind = Literal["app", "recovery"]


class SecondFactor(msgspec.Struct, frozen=True, kw_only=True):
    """A user's second factor. It counts once a code has confirmed that the app knows the secret.

    Attributes:
        last_step: the newest step whose code was used.
        recovery_sha256: of the recovery codes that are left.
    """

    user_id: str
    secret: bytes
    confirmed_us: int | None = None
    last_step: int = -1
    recovery_sha256: tuple[bytes, ...] = ()

    @property
    def is_on(self) -> bool:
        return self.confirmed_us is not None


class SecondFactorView(msgspec.Struct, frozen=True):
    """Whether sign-in asks for a code."""

    enabled: bool
    recovery_codes_left: int


class PasswordAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    current_password: str


class SecondFactorBegun(msgspec.Struct, frozen=True):
    """For an authenticator app: the secret to type, the URI, and a picture of it (SVG, as a data
    URI)."""

    secret: str
    uri: str
    qr: str


class CodeSent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(max_length=CODE_MAX)]


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Each replaces one code of the app, once. They are shown in this response only."""

    recovery_codes: list[str]


def kind_of(code: str) -> Kind:
    """Which of the two somebody typed."""
    return "app" if _APP_CODE.fullmatch(_typed(code)) else "recovery"


def begun(factor: SecondFactor | None, user_id: str, secret: bytes) -> SecondFactor:
    """A factor that waits for its first code; it replaces another one that waits.

    Raises:
        Conflict: one is on already.
    """
    if factor is not None and factor.is_on:
        raise Conflict(Detail("second_factor_is_on"))
    return SecondFactor(user_id=user_id, secret=secret)


def confirmed(
    factor: SecondFactor | None, code: str, now_us: int, recovery: Sequence[str]
) -> SecondFactor:
    """It counts from now on.

    Raises:
        Conflict: it does already, or none was begun.
        Forbidden: the code is wrong.
    """
    if factor is None:
        raise Conflict(Detail("second_factor_is_off"))
    if factor.is_on:
        raise Conflict(Detail("second_factor_is_on"))
    step = totp.step_of(_typed(code), factor.secret, now_us)
    if step is None:
        raise Forbidden(WRONG)
    factor = msgspec.structs.replace(factor, confirmed_us=now_us, last_step=step)
    return renewed(factor, recovery)


def renewed(factor: SecondFactor, recovery: Sequence[str]) -> SecondFactor:
    """With these recovery codes instead of others."""
    return msgspec.structs.replace(factor, recovery_sha256=tuple(map(kept_of, recovery)))


def used(factor: SecondFactor, code: str, now_us: int) -> SecondFactor | None:
    """The factor after this code was used; None if it is wrong, or was used before."""
    if kind_of(code) == "app":
        step = totp.step_of(_typed(code), factor.secret, now_us, after=factor.last_step)
        return None if step is None else msgspec.structs.replace(factor, last_step=step)
    sha256 = kept_of(code)
    if sha256 not in factor.recovery_sha256:
        return None
    left = tuple(each for each in factor.recovery_sha256 if each != sha256)
    return msgspec.structs.replace(factor, recovery_sha256=left)


def recovery_code(random: bytes) -> str:
    """A code to write down: `abcd-efgh-2345-klmn`. `random` has `RECOVERY_BYTES` at least."""
    letters = base64.b32encode(random[:RECOVERY_BYTES]).decode().lower()
    return "-".join(letters[n : n + _GROUP] for n in range(0, len(letters), _GROUP))


def kept_of(code: str) -> bytes:
    """The stored digest of a recovery code, however it was typed."""
    return hashlib.sha256(_typed(code).encode("utf-8", "surrogatepass")).digest()


def _typed(code: str) -> str:
    """Without what people put between, in small letters."""
    return re.sub(r"[\s-]", "", code).lower()
