"""Every line of Dockerfile and compose.yaml that needs no engine is carried out: built, started, asked, stopped.

`by_hand.py` says what is not: nothing is pulled, and this machine's Python stands for the image's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from by_hand import ROOT, Hands, hands
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from running import blank_postgres
from sqlalchemy.engine import URL, make_url
from tooling.test_compose import SERVICES
from wire import eventually

PROGRAMS = ("unshare", "nsenter", "setpriv", "chroot", "ip", "redis-server")
READER = 10001


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Hands]:
    """Both images."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if sys.platform != "linux" or os.geteuid() != 0 or missing:
        reason = f"needs root on Linux and {', '.join(missing) or 'nothing else'}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; in CI this must run", pytrace=False)
        pytest.skip(reason)
    with hands(tmp_path / "work") as opened:
        opened.build()
        yield opened


_SOCKETS = "/run/postgresql"


class House:
    """The services of compose.yaml, started by hand one after the other."""

    def __init__(self, made: Hands, folder: Path, database_url: str) -> None:
        self.made, self.folder = made, folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.environ: dict[str, str] = {}
        self.secrets = folder / "secrets"
        # The run's server lies in a folder of its own, of which a container sees the socket alone.
        url = make_url(database_url)
        socket = Path(str(url.query["host"])) / ".s.PGSQL.5432"
        self.mounts: dict[str, Path] = {f"{_SOCKETS}/{socket.name}": socket}
        database_url = url.set(query={"host": _SOCKETS}).render_as_string(hide_password=False)
        subprocess.run([sys.executable, str(ROOT / "tools" / "make_secrets.py"), str(self.secrets)], check=True)
        self.give("database.url", database_url)
        for name, file in (("keys", "keys.json"), ("platforms", "platforms.json"), ("database_url", "database.url")):
            self.mounts[f"/run/secrets/{name}"] = self.secrets / file

    def give(self, name: str, content: str) -> None:
        path = self.secrets / name
        path.write_text(content)
        os.chown(path, READER, READER)

    def volume(self, name: str) -> Path:
        """A named volume, which takes its owner from the image."""
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        os.chown(path, READER, READER)
        return path

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start(self, name: str) -> None:
        service = SERVICES[name]
        volumes = dict(mount.split(":")[:2] for mount in service.get("volumes", []))
        mounts = self.mounts | {target: self.volume(source) for source, target in volumes.items()}
        self.running[name] = self.made.start(service, self.log(name), mounts, self.environ)

    def finish(self, name: str) -> None:
        """A service that ends by itself, as service_completed_successfully means it."""
        self.start(name)
        assert self.running.pop(name).wait(120) == 0, self.log(name).read_text()[-3000:]

    def healthy(self, name: str) -> None:
        self.start(name)

        def look() -> bool:
            assert self.running[name].poll() is None, self.log(name).read_text()[-3000:]
            return self.made.is_healthy(SERVICES[name], self.log(name))

        eventually(look, f"{name} is healthy")

    def working(self, name: str) -> None:
        """A worker that has begun: it listens for TERM, and has not ended."""
        self.start(name)
        process = self.running[name]
        caught = re.compile(r"^SigCgt:\s+([0-9a-f]+)$", re.MULTILINE)

        def look() -> bool:
            assert process.poll() is None, self.log(name).read_text()[-3000:]
            found = caught.search(Path(f"/proc/{process.pid}/status").read_text())
            return found is not None and bool(int(found[1], 16) >> (signal.SIGTERM - 1) & 1)

        eventually(look, f"{name} works")

    def stop(self, name: str) -> None:
        """As an engine does: TERM, and 0 as the answer."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(40) == 0, self.log(name).read_text()[-3000:]

    def ask(self, url: str, *, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
        """Over HTTP, in the services' network."""
        asked = json.dumps({"url": url, "method": method, "body": body, "headers": headers})
        said = subprocess.run(
            self.made.beside(sys.executable, "-c", _ASK), input=asked, capture_output=True, text=True, check=True
        )
        status, answer = json.loads(said.stdout)
        return status, answer

    def inside(self, name: str, script: str) -> str:
        """A shell script in the container of a service."""
        service = SERVICES[name]
        command = self.made.inside(self.log(name).with_suffix(".root"), self.made.of(service))
        ended = subprocess.run([*command, "sh", "-c", script], capture_output=True, text=True, check=False)
        return ended.stdout + ended.stderr


_ASK = """
import json, sys, urllib.error, urllib.request
asked = json.load(sys.stdin)
data = None if asked["body"] is None else json.dumps(asked["body"]).encode()
headers = {"Content-Type": "application/json"} | asked["headers"]
request = urllib.request.Request(asked["url"], data, headers, method=asked["method"])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.loads(answer.read())]))
"""


@contextmanager
def compose_up(made: Hands, folder: Path, server: URL) -> Iterator[House]:
    """A host with nothing on it yet, and Debian's Redis with compose's own arguments."""
    folder.mkdir()
    with blank_postgres(server) as url:
        house = House(made, folder, url)
        house.running["redis"] = subprocess.Popen(
            made.beside(*SERVICES["redis"]["command"]), stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield house
        finally:
            for process in house.running.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def real_platforms() -> str:
    """Accounts that a production start takes: at the platforms' own addresses, where nobody is called."""
    key = generate_private_key(65537, 2048)
    merchant = {
        "merchant": "gulou",
        "mchid": "1900000001",
        "appid": "wx1",
        "serial_no": "AB12",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "apiv3_key": "k" * 32,
        "public_key_id": "PUB_KEY_ID_01",
        "public_key": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    }
    miniapp = {"app": "main", "appid": "wx1", "secret": "of-nobody"}
    return json.dumps({"wechat_miniapp": [miniapp], "wechat_pay": [merchant]})


def production_migrates_serves_and_works_on_a_root_that_nobody_can_write(house: House) -> None:
    house.give("platforms.json", real_platforms())
    house.environ["PUBLIC_BASE_URL"] = "https://api.example.org"  # the one thing that compose asks for
    house.finish("migrate")
    house.healthy("api")
    status, ready = house.ask("http://127.0.0.1:8000/readyz")
    assert (status, ready["status"]) == (200, "ready"), ready
    assert house.ask("http://127.0.0.1:8000/api/v1/hospitals") == (200, {"items": [], "next_cursor": None})

    written = house.inside(
        "api", "for at in /app /venv /etc /data /run; do touch $at/x; done; id -u; cat /proc/self/status"
    )
    assert written.count("Read-only file system") == 5, written
    assert written.startswith("10001\n")
    assert "CapEff:\t0000000000000000" in written
    assert "CapBnd:\t0000000000000000" in written
    assert "NoNewPrivs:\t1" in written

    house.working("worker")
    house.stop("redis")
    assert house.ask("http://127.0.0.1:8000/api/v1/time")[0] == 200
    house.stop("worker")
    house.stop("api")


def a_start_without_an_address_says_what_is_missing_and_ends(house: House) -> None:
    house.start("api")
    assert house.running.pop("api").wait(60) != 0
    said = house.log("api").read_text()
    assert "PUBLIC_BASE_URL is missing" in said
    assert "PLATFORMS_FILE" in said


def with_the_sandbox_a_stranger_gets_from_nothing_to_a_login(house: House) -> None:
    house.finish("migrate")
    house.healthy("sandbox")
    house.finish("credentials")
    house.finish("directory")
    house.healthy("local-api")
    house.working("local-worker")
    status, found = house.ask("http://127.0.0.1:8000/api/v1/hospitals?q=xiehe")
    assert (status, found["items"][0]["name"]) == (200, "北京协和医院")

    token = "only-for-ones-own-machine"
    assert house.ask("http://127.0.0.1:8100/control/credentials")[0] == 401
    status, told = house.ask(
        "http://127.0.0.1:8100/control/login-codes",
        method="POST",
        body={"provider": "wechat_miniapp", "open_id": "stranger"},
        Authorization=f"Bearer {token}",
    )
    assert status == 201, told
    wanted = {"provider": "wechat_miniapp", "code": told["code"]}
    status, session = house.ask("http://127.0.0.1:8000/api/v1/sessions", method="POST", body=wanted)
    assert (status, session["account"]["has_phone"]) == (201, False)
    for name in ("local-worker", "local-api", "sandbox"):
        house.stop(name)


@pytest.mark.timeout(900)  # it installs everything anew
def test_the_images_are_built_and_every_service_runs(
    made: Hands, tmp_path: Path, postgres_server: URL, subtests: pytest.Subtests
) -> None:
    for scene in (
        a_start_without_an_address_says_what_is_missing_and_ends,
        production_migrates_serves_and_works_on_a_root_that_nobody_can_write,
        with_the_sandbox_a_stranger_gets_from_nothing_to_a_login,
    ):
        with subtests.test(scene.__name__), compose_up(made, tmp_path / scene.__name__[:12], postgres_server) as house:
            scene(house)
