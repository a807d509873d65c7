"""The name of a file in an answer (RFC 6266)."""

from urllib.parse import quote

# Characters that RFC 8187 leaves unescaped in a value, beside letters and digits.
ATTR_CHARS = "!#$&+-.^_`|~"


def attachment(filename: str) -> str:
    """The header value for a file to be saved with that name."""
    return named("attachment", filename)


def named(how: str, filename: str) -> str:
    """RFC 6266, with an ASCII name for clients that do not read `filename*` (RFC 8187)."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in filename)
    full = quote(filename, safe=ATTR_CHARS)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{full}"
