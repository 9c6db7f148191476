"""The key file by its command: new files, newer keys beside the older ones, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from miniapp_api.config import Config, ConfigError
from miniapp_api.keys import KeysUnusable, add_keys, read_keys, write_keys
from models.ciphers import Suite
from models.vault_key import Ring

RINGS = list(Ring)


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "CRYPTO_SUITE"}
    command = [sys.executable, "-m", "miniapp_api.keys", *words]
    return subprocess.run(command, env=clean | environ, capture_output=True, text=True, check=False, timeout=60)


def content(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize(("suite", "named"), [("aes", None), ("sm", {"sm4-gcm", "hmac-sm3"})])
def test_a_new_file_is_of_the_suite_that_is_asked_for(tmp_path: Path, suite: str, named: set[str] | None) -> None:
    by_option, by_variable = tmp_path / "a.json", tmp_path / "b.json"
    assert run(str(by_option), "--suite", suite, CRYPTO_SUITE="aes").returncode == 0
    assert run(str(by_variable), CRYPTO_SUITE=suite).returncode == 0
    for path in (by_option, by_variable):
        assert read_keys(path).suites == {Suite(suite)}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        made = [content(path)[ring]["keys"]["1"] for ring in RINGS]
        assert {one["algorithm"] for one in made} == named if named else all(isinstance(one, str) for one in made)


def test_a_newer_key_comes_beside_the_older_ones_and_is_used(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, Suite.AES)
    before = content(path)
    assert run(str(path), "--add", "--suite", "sm").returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [content(path)[ring]["keys"]["1"] for ring in RINGS] == [before[ring]["keys"]["1"] for ring in RINGS]
    keys = read_keys(path)
    assert [keys.sealing.active, keys.hashing.active, keys.tickets.active] == [2, 2, 2]
    assert keys.suites == {Suite.SM}
    assert run(str(path), "--add").returncode == 0  # of the suite in use
    assert read_keys(path).suites == {Suite.SM}
    assert read_keys(path).sealing.active == 3
    assert [one.name for one in tmp_path.iterdir()] == ["keys.json"]


def test_a_key_on_standby_waits_to_be_activated(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, Suite.AES)
    assert run(str(path), "--add", "--suite", "sm", "--standby").returncode == 0
    assert (set(read_keys(path).sealing.keys), read_keys(path).sealing.active) == ({1, 2}, 1)
    assert run(str(path), "--activate").returncode == 0
    assert (read_keys(path).sealing.active, read_keys(path).suites) == (2, {Suite.SM})


def test_what_cannot_be_done_is_told_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path)
    before = path.read_bytes()
    full = tmp_path / "full.json"
    full.write_text(json.dumps({ring: {"active": 65535, "keys": {"65535": one["keys"]["1"]}}
                                for ring, one in content(path).items()}))  # fmt: skip
    full.chmod(0o600)
    for words, told in (
        ([str(path)], "exists already"),
        ([str(path), "--add", "--suite", "rot13"], "invalid choice"),
        ([str(path), "--standby"], "--standby goes with --add"),
        ([str(path), "--add", "--activate"], "not allowed with"),
        ([str(full), "--add"], "no key id left"),
        ([str(tmp_path / "none.json"), "--add"], "cannot be read"),
        ([str(tmp_path / "nowhere" / "none.json"), "--add"], "cannot be read"),
    ):
        ended = run(*words)
        assert ended.returncode != 0
        assert told in ended.stderr
        assert "Traceback" not in ended.stderr
    path.chmod(0o644)
    assert "must be 0600" in run(str(path), "--add").stderr
    assert path.read_bytes() == before
    assert "CRYPTO_SUITE must be one of" in run(str(tmp_path / "new.json"), CRYPTO_SUITE="des").stderr


def test_several_at_once_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: add_keys(path), range(12)))
    assert set(read_keys(path).hashing.keys) == set(range(1, 14))


def test_whoever_reads_meanwhile_has_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path)
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(lambda: [add_keys(path) for _ in range(40)])
        while not adding.done():
            read_keys(path)
        adding.result()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = tmp_path / "real.json"
    write_keys(path)
    link = tmp_path / "keys.json"
    link.symlink_to(path)
    add_keys(link)
    assert link.is_symlink()
    assert read_keys(path).sealing.active == 2


@pytest.mark.parametrize(
    ("ring", "value"),
    [
        ("sealing", {"algorithm": "hmac-sm3", "key": "A" * 44}),
        ("sealing", {"algorithm": "des", "key": "A" * 44}),
        ("sealing", {"algorithm": ["sm4-gcm"], "key": "x"}),
        ("sealing", {"algorithm": "sm4-gcm"}),
        ("sealing", {"algorithm": "sm4-gcm", "key": "x" * 22 + "==", "more": 1}),
        ("sealing", {"algorithm": "sm4-gcm", "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}),
        ("hashing", {"algorithm": "hmac-sm3", "key": "AAECAwQFBgcICQoLDA0ODw=="}),
        ("hashing", {"algorithm": "sm4-gcm", "key": "AAECAwQFBgcICQoLDA0ODw=="}),
        ("tickets", {"key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}),
        ("tickets", None),
    ],
)
def test_a_key_that_fits_no_algorithm_of_its_ring_is_refused_unseen(tmp_path: Path, ring: str, value: Any) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, Suite.SM)
    changed = content(path)
    changed[ring]["keys"]["2"] = value
    path.write_text(json.dumps(changed))
    with pytest.raises(KeysUnusable, match=f'in the ring "{ring}"') as told:
        read_keys(path)
    assert "AAECAw" not in str(told.value)


def test_a_start_asks_for_active_keys_of_the_suite_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, Suite.AES)
    (tmp_path / "platforms.json").write_text("{}")
    environ = {"MODE": "local", "DATA_DIR": str(tmp_path)}
    for fine in ({}, {"CRYPTO_SUITE": "aes"}):
        Config.from_environ({**environ, **fine})
    for word, told in (("sm", "not of the suite sm"), ("des", "CRYPTO_SUITE must be one of: aes, sm")):
        with pytest.raises(ConfigError, match=told):
            Config.from_environ({**environ, "CRYPTO_SUITE": word})
    add_keys(path, Suite.SM)
    Config.from_environ({**environ, "CRYPTO_SUITE": "sm"})
