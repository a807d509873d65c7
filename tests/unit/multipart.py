"""Multipart bodies for tests, written out."""

BOUNDARY = "-------x"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(content: bytes, filename: str | None = "a.bin", name: str = "file") -> bytes:
    shown = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n'
    return head.encode() + b"Content-Type: image/svg+xml\r\n\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
