"""Files of ours that do not change while the server runs, compressed once."""

import gzip

import msgspec
from quart import Request, Response

KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
COMPRESSED = ("css", "html", "js", "json", "svg")


class Asset(msgspec.Struct, frozen=True):
    """`kind`: its content type."""

    content: bytes
    compressed: bytes | None
    kind: str

    @classmethod
    def of(cls, name: str, content: bytes, compressed: bytes | None = None) -> "Asset":
        """Its type and whether it is compressed follow from the suffix of its name. `compressed`:
        what the build has compressed already."""
        suffix = name.rsplit(".", 1)[-1]
        if compressed is None and suffix in COMPRESSED:
            compressed = gzip.compress(content, 9, mtime=0)
        return cls(content, compressed, KINDS.get(suffix, "application/octet-stream"))

    def answer(self, asked: Request) -> Response:
        """Compressed if the client accepts it."""
        response = Response(self.content, content_type=self.kind)
        if self.compressed is not None:
            response.headers["Vary"] = "Accept-Encoding"
            if asked.accept_encodings["gzip"]:
                response.set_data(self.compressed)
                response.headers["Content-Encoding"] = "gzip"
        return response
