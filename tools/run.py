"""`make run`: the whole of Yuezhen on this machine, on loopback: sandbox, API and worker, looked after until Ctrl-C.

API_PORT, SANDBOX_PORT, DATABASE_URL and DATA_DIR move ports and places; DIRECTORY names other hospitals than the
sample's. Two runs with other ports and another DATA_DIR do not disturb one another.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from children import Child, Children
from places import CannotRun, Places

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from miniapp_api.keys import KeysUnusable, write_keys  # noqa: E402 - found only once the root is on the path

_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_TAIL_LINES = 25
_FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """The exit code: 0 after Ctrl-C or TERM, 1 where something is missing or in the way."""
    os.umask(0o077)
    try:
        places = Places.from_environ(os.environ, root=ROOT)
        with places.taken():
            return _run(places)
    except CannotRun as reason:
        _say(str(reason))
        return 1


def _run(places: Places) -> int:
    """Raises: CannotRun."""
    data = places.data_dir
    children = Children(
        environ=places.environ(os.environ), cwd=ROOT, logs=data / "logs", pids=data / "pids.json", say=_say
    )
    try:
        _bring_up(children, places)
        _say(_where_to_look(places))
        children.watch()
    except CannotRun:
        if not children.stop_asked:
            raise
    finally:
        _say("stopping … 正在停止 …")
        children.stop()
    _say("stopped. 已停止。")
    return 0


def _bring_up(children: Children, places: Places) -> None:
    """Raises: CannotRun."""
    keys = places.data_dir / "keys.json"
    if not keys.exists():
        _make_keys(keys)
    _do(children, "migrate", [sys.executable, "-m", "migrations", "upgrade"])
    sandbox = children.keep("sandbox", _sandbox_command(places))
    credentials = _answer_of(children, sandbox, f"{places.sandbox}/control/credentials")
    _write_private(places.data_dir / "platforms.json", credentials)
    _do(children, "load-directory", [*_FLASK, "load-directory", str(places.directory)])
    api = children.keep("api", [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"])
    children.keep("worker", [*_FLASK, "worker"])
    _answer_of(children, api, f"{places.api}/readyz")


def _make_keys(path: Path) -> None:
    """Raises: CannotRun."""
    try:
        write_keys(path)
    except KeysUnusable as fault:  # of the suite that is asked for
        raise CannotRun(str(fault)) from None


def _sandbox_command(places: Places) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(places.sandbox_port), "--data-dir", str(places.data_dir)]
    return [sys.executable, "-m", "sandbox", *where, "--product-url", places.api]


def _do(children: Children, name: str, command: list[str]) -> None:
    """Raises: CannotRun."""
    _say(f"{name} …")
    if not children.run(name, command):
        raise CannotRun(f"{name} failed. {_tail(children.log_of(name))}")


def _answer_of(children: Children, child: Child, url: str) -> bytes:
    """Wait until `url` of a fresh child answers. Raises: CannotRun."""
    _say(f"{child.name} …")
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and not children.stop_asked:
        if not child.is_running:
            break
        try:
            with _direct.open(url, timeout=5) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, OSError):
            time.sleep(_LOOK_SECONDS)
    raise CannotRun(f"{child.name} did not become ready. {_tail(child.log)}")


def _write_private(path: Path, content: bytes) -> None:
    json.loads(content)  # a half answer must not become the file
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if log.exists() else []
    return f"The last lines of {log}:\n" + "\n".join(f"    {line}" for line in lines)


def _where_to_look(places: Places) -> str:
    moved = "".join(
        f" {name}={os.environ[name]}"
        for name in ("API_PORT", "SANDBOX_PORT", "DATA_DIR", "DATABASE_URL")
        if os.environ.get(name)
    )
    return f"""
  约诊 Yuezhen is running. 已启动。

    API      接口      {places.api}/api/v1/hospitals
    Docs     文档      {places.api}/docs
    Page     页面      {places.api}/h5/
    Sandbox  沙箱      {places.sandbox}/
    Data     数据      {places.data_dir}  (logs/ 日志)

    A patient's whole way, in a second terminal / 在另一个终端走完整流程:
        make journey{moved}

    Ctrl-C stops everything. 按 Ctrl-C 停止。
"""


def _say(text: str) -> None:
    with suppress(OSError):  # whoever read along has gone; the run goes on
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
