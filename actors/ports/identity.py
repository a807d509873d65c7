"""Other identity providers: they confirm who has signed in there."""

from typing import Protocol

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """A person at the identity provider: a name that never changes, and the display name."""

    subject: str
    name: str | None = None


class IdentityProvider(Protocol):
    async def identify(self, code: str, code_verifier: str | None) -> Identity:
        """The person who returned from the provider's page with this code.

        Raises:
            Unauthorized: the provider does not accept the code.
            BadGateway: it does not answer, or its answer cannot be used.
        """
        ...
