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

# Of each type: the suffixes of its files, the usual one first.
SUFFIXES = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png",),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/bmp": ("bmp", "dib"),
    "video/mp4": ("mp4", "m4v", "mp4v"),
    "video/quicktime": ("mov", "qt"),
    "video/webm": ("webm",),
    "video/x-matroska": ("mkv",),
    "video/ogg": ("ogv", "ogg"),
    "audio/mpeg": ("mp3",),
    "audio/aac": ("aac",),
    "audio/mp4": ("m4a", "m4b", "mp4"),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/wav": ("wav",),
    "audio/flac": ("flac",),
    "application/pdf": ("pdf",),
    "text/plain": ("txt", "csv", "tsv", "md", "log", "srt", "vtt", "json", "yaml", "yml", "ini"),
}


def fitting(filename: str, content_type: str) -> str:
    """The name under which a file is saved. A suffix of another type is kept and the usual one of
    this type added, so that a picture called `a.exe` is never run: `a.exe.png`."""
    suffixes = SUFFIXES.get(content_type)
    _, dot, suffix = filename.rpartition(".")
    if suffixes is None or (dot and suffix.lower() in suffixes):
        return filename
    return f"{filename}.{suffixes[0]}"
