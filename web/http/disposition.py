"""How a file in an answer is called (RFC 6266)."""

from urllib.parse import quote

# Characters that RFC 8187 leaves as they are in a value, beside letters and digits.
ATTR_CHARS = "!#$&+-.^_`|~"


def attachment(filename: str) -> str:
    """What follows is a file to be kept under that name."""
    return named("attachment", filename)


def named(how: str, filename: str) -> str:
    """RFC 6266, with the name in ASCII for who does not read `filename*` (RFC 8187)."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in filename)
    full = quote(filename, safe=ATTR_CHARS)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{full}"
