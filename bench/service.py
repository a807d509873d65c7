"""A `roost up` for measurements: a fresh data directory, free ports, a signed-in user."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

PASSWORD = "measure-it-well"


class Service:
    def __init__(self, url: str, mqtt_port: int, data_dir: Path, pid: int) -> None:
        self.url = url
        self.mqtt_port = mqtt_port
        self.data_dir = data_dir
        self.pid = pid
        self.http = httpx.Client(base_url=url, timeout=30)
        self.token = ""

    def sign_in(self, email: str = "bench@roost.local") -> dict[str, Any]:
        account = {"email": email, "password": PASSWORD}
        user: dict[str, Any] = self.post("/users", account)
        self.token = self.post("/login/access-token", account)["access_token"]
        self.http.headers["x-auth-token"] = self.token
        return user

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(f"/api/v1{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.http.get(f"/api/v1{path}")
        answer.raise_for_status()
        return answer.json()

    def metric(self, name: str) -> float:
        for line in self.http.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise KeyError(name)

    @property
    def mqtt_password(self) -> str:
        """Of the service's own login, which may publish for every device."""
        secrets = json.loads((self.data_dir / "secrets.json").read_text())
        return str(secrets["mqtt"])


@contextmanager
def running(*options: str) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as folder:
        data_dir = Path(folder) / "data"
        roost = Path(sys.executable).parent / "roost"
        command = [
            str(roost),
            "up",
            "--data-dir",
            str(data_dir),
            "--http",
            ":0",
            "--mqtt",
            ":0",
            *options,
        ]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if line[:1] != ["ready"]:
                raise RuntimeError((Path(folder) / "log").read_text())
            service = Service(line[1], int(line[2].rpartition(":")[2]), data_dir, process.pid)
            yield service
            service.http.close()
        finally:
            process.terminate()
            process.wait(20)
