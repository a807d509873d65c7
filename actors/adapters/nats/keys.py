"""Keys of NATS accounts: a seed signs, its public key is in the server's configuration."""

import os

import nkeys


def new_seed() -> bytes:
    """A new account key."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT)
    return seed


def public_key(seed: bytes) -> str:
    key: bytes = nkeys.from_seed(bytearray(seed)).public_key
    return key.decode()
