"""A Mosquitto with the settings that README asks for, and one login, `roost`."""

import subprocess
from pathlib import Path

_CONFIG = """\
listener {port} 127.0.0.1
password_file {folder}/passwords
allow_anonymous false
max_queued_messages 1000000
max_inflight_messages 1000
persistence true
persistence_location {folder}/
autosave_interval {autosave_s}
user root
"""


def configure(folder: Path, port: int, password: str, autosave_s: int = 5) -> Path:
    """Write its passwords and its settings; answers where the latter are."""
    login = [str(folder / "passwords"), "roost", password]
    subprocess.run(["mosquitto_passwd", "-c", "-b", *login], check=True)
    config = folder / "mosquitto.conf"
    config.write_text(_CONFIG.format(port=port, folder=folder, autosave_s=autosave_s))
    return config
