"""`python -m sandbox` as a process: starting, refusing, stopping, and going on where it was killed."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.app import Running
from sandbox.config import ConfigError, Settings, read_settings
from sandbox.testing import Control, eventually, running_sandbox

ROOT = Path(__file__).parent.parent.parent
LISTENING = re.compile(r"sandbox: (http://\S+) ")
Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Start a process and read its address from its first line."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", *arguments],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            env={**clean, "SANDBOX_PORT": "0", "DATA_DIR": str(data_dir), **environment},
        )
        started.append(process)
        assert process.stdout is not None
        found = LISTENING.match(process.stdout.readline())
        return process, found[1] if found else ""

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(start: Start, http: requests.Session, how: signal.Signals) -> None:
    process, url = start()
    # An open connection that nobody uses does not hold it up.
    assert http.get(url + "/healthz", timeout=15).status_code == 200
    process.send_signal(how)
    assert process.wait(timeout=15) == 0


def test_files_are_the_owners_alone(start: Start, data_dir: Path, http: requests.Session) -> None:
    process, url = start()
    Control(url, http).post("/login-codes", provider="wechat_miniapp", open_id="one")
    home = data_dir / "sandbox"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    files = list(home.iterdir())
    assert {"credentials.json", "state.sqlite3", "state.sqlite3-wal"} <= {file.name for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    process.terminate()


def test_keys_are_made_at_the_first_start_and_kept(tmp_path: Path, http: requests.Session) -> None:
    seen = []
    for _ in range(2):
        with running_sandbox(tmp_path) as running:
            credentials = Control(running.base_url, http).get("/credentials")
            places = {"base_url": "", "open_url": "", "gateway": "", "bill_url": ""}
            seen.append([entry | places for entries in credentials.values() for entry in entries])
    assert seen[0] == seen[1]
    with running_sandbox(tmp_path / "elsewhere") as running:
        other = Control(running.base_url, http).get("/credentials")
    assert other["wechat_pay"][0]["mchid"] not in json.dumps(seen)


def test_an_older_installation_is_completed_and_keeps_its_keys(data_dir: Path, http: requests.Session) -> None:
    path = data_dir / "sandbox" / "credentials.json"
    older = json.loads(path.read_text())
    del older["wechat_official"]
    path.write_text(json.dumps(older))
    seen = []
    for _ in range(2):
        with running_sandbox(data_dir) as running:
            seen.append(Control(running.base_url, http).get("/credentials"))
    made = json.loads(path.read_text())["wechat_official"][0]["token"]
    assert [each["wechat_official"][0]["token"] for each in seen] == [made, made]
    assert seen[0]["wechat_pay"][0]["mchid"] == older["wechat_pay"][0]["mchid"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_killed_sandbox_goes_on_where_it_was(start: Start, open_box: Callable[[Any], Any]) -> None:
    process, url = start("--time-scale", "1")
    box = open_box(type("Elsewhere", (), {"base_url": url}))
    unpaid, paid, hanging = box.placed(), box.number(), box.number()
    order = box.demo.order(paid, box.openid, box.url)
    box.demo.place(order)
    box.receiver.respond = lambda _: 500
    box.control.post(f"/payments/{paid}/pay")
    eventually(lambda: box.control.items("/notices", out_trade_no=paid)[0]["attempts"])
    box.fault("refund.create", "processing", times=1)
    box.demo.refund(paid, "R1", 500, box.url)
    box.fault("pay.create", "drop_after", match={"out_trade_no": hanging})
    box.control.post("/clock", advance_seconds=5)
    nonce = box.demo.headers(box.demo.authorization("GET", "/v3/refund/domestic/refunds/R1", b"", nonce_str="ONCE"))
    assert box.demo.send("GET", "/v3/refund/domestic/refunds/R1", b"", nonce).status_code == 200
    ledger = box.control.items("/ledger")
    process.kill()
    process.wait()

    box.receiver.respond = lambda _: 204
    _, url = start("--time-scale", "1")
    box = open_box(type("Elsewhere", (), {"base_url": url}))
    assert box.control.items("/ledger") == ledger
    assert box.control.get("/clock")["offset_seconds"] == 5
    assert [rule["times"] for rule in box.control.items("/faults")] == [0, None]
    assert box.demo.query(unpaid).json()["trade_state"] == "NOTPAY"
    assert box.demo.place(order).json()["code"] == "ORDERPAID"
    assert box.demo.query_refund("R1").json()["status"] == "PROCESSING"
    assert box.demo.send("GET", "/v3/refund/domestic/refunds/R1", b"", nonce).status_code == 401
    box.control.post("/clock", advance_seconds=15)
    assert [attempt["status"] for attempt in box.notice(paid)["attempts"]] == [500, 204]


def test_a_call_that_was_never_answered_is_in_the_log(start: Start, open_box: Callable[[Any], Any]) -> None:
    process, url = start()
    box = open_box(type("Elsewhere", (), {"base_url": url}))
    number = box.number()
    box.fault("pay.create", "drop_before", times=1)
    with pytest.raises(requests.ConnectionError):
        box.demo.place(box.demo.order(number, box.openid, box.url))
    process.kill()
    process.wait()
    _, url = start()
    calls = Control(url, box.demo.http).items("/calls", number=number)
    assert [(call["operation"], call["method"]) for call in calls] == [("pay.create", "POST")]


def test_used_codes_and_tokens_outlive_a_restart(data_dir: Path, http: requests.Session) -> None:
    def ask(running: Running, path: str, **query: str) -> Any:
        app = Control(running.base_url, http).get("/credentials")["wechat_miniapp"][0]
        who = {"appid": app["appid"], "secret": app["secret"]}
        if path == "/cgi-bin/stable_token":
            return http.post(app["base_url"] + path, json=who | query, timeout=15).json()
        return http.get(app["base_url"] + path, params=who | query, timeout=15).json()

    with running_sandbox(data_dir) as running:
        codes = [
            Control(running.base_url, http).post("/login-codes", provider="wechat_miniapp", open_id="one")["code"]
            for _ in range(2)
        ]
        ask(running, "/sns/jscode2session", js_code=codes[0], grant_type="authorization_code")
        token = ask(running, "/cgi-bin/stable_token", grant_type="client_credential")["access_token"]
    with running_sandbox(data_dir) as running:
        again = [ask(running, "/sns/jscode2session", js_code=code, grant_type="authorization_code") for code in codes]
        assert [answer.get("errcode") for answer in again] == [40163, None]
        assert ask(running, "/cgi-bin/stable_token", grant_type="client_credential")["access_token"] == token


def test_two_cannot_share_a_folder(start: Start, data_dir: Path) -> None:
    start()
    with pytest.raises(ConfigError), running_sandbox(data_dir):
        pass


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--host", "0.0.0.0"], {}),
        (["--host", "::"], {}),
        (["--host", "192.0.2.1"], {}),
        (["--host", "sandbox.example"], {}),
        (["--host", "0.0.0.0"], {"SANDBOX_TOKEN": "short"}),
        (["--time-scale", "0"], {}),
        (["--time-scale", "nan"], {}),
        (["--settle-delay", "-1"], {}),
        (["--port", "x"], {}),
        (["--port", "70000"], {}),
    ],
)
def test_settings_that_are_refused(arguments: list[str], environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        read_settings(arguments, environment)


def test_a_refused_start_says_why(start: Start, data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--host", "0.0.0.0", "--data-dir", str(data_dir)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "SANDBOX_TOKEN" in done.stderr


def test_settings_from_environment_and_command_line(tmp_path: Path) -> None:
    environment = {"SANDBOX_PORT": "1", "DATA_DIR": str(tmp_path), "SANDBOX_TIME_SCALE": "2"}
    assert read_settings([], environment) == Settings(tmp_path, port=1, time_scale=2)
    assert read_settings(["--port", "3"], environment).port == 3
    assert read_settings(["--host", "0.0.0.0"], {"SANDBOX_TOKEN": "t" * 16}).token == "t" * 16
    assert read_settings([], {}).home == Path("data-local") / "sandbox"


def test_the_sandbox_imports_nothing_of_ours() -> None:
    script = "import sandbox.cli, sandbox.testing, sandbox.testing_alipay, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint(
        {"miniapp_api", "core", "integrations", "models", "schemas", "wechatpayv3", "alipay", "sqlalchemy"}
    )
