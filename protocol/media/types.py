"""The supported types of file, and what people call them."""

# Any other type is refused, including SVG and HTML, because they may contain scripts.
TAKEN = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WebP",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
    "video/mp4": "MP4",
    "video/quicktime": "QuickTime",
    "video/webm": "WebM",
    "video/x-matroska": "Matroska",
    "video/ogg": "OGG video",
    "audio/mpeg": "MP3",
    "audio/aac": "AAC",
    "audio/mp4": "M4A",
    "audio/ogg": "OGG",
    "audio/wav": "WAV",
    "audio/flac": "FLAC",
    "application/pdf": "PDF",
    "text/plain": "plain UTF-8 text",
}
WORDS = ", ".join(TAKEN.values())
