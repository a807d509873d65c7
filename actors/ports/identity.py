"""Other identity providers: they say who somebody is who has signed in there."""

from typing import Protocol

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """Who somebody is to their provider: a name that never changes, and what they are called."""

    subject: str
    name: str | None = None


class IdentityProvider(Protocol):
    async def identify(self, code: str, code_verifier: str | None) -> Identity:
        """Who came back from the provider's page with this code.

        Raises:
            Unauthorized: the provider does not accept the code.
            BadGateway: it does not answer, or not so that we understand it.
        """
        ...
