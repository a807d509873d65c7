"""Text that may come from anybody, for a line on a terminal or in a log."""


def printable(text: str, *, keeps: str = "") -> str:
    """Without control characters, which could change the terminal, hide a line or invent another.

    Args:
        keeps: characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keeps else "?" for c in text)
