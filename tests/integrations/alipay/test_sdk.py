"""The library behind the adapter, and what its import would do to the logs (alipay.md 12.4, trap 8)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

WATCHED = """
import logging, logging.config, sys, io
told = io.StringIO()
class Handler(logging.StreamHandler):
    ended = False
    def close(self):
        self.ended = True
        super().close()
before = Handler(told)
logging.getLogger().addHandler(before)
configure = logging.config.dictConfig
{import_it}
assert logging.config.dictConfig is configure
ended = before.ended
logger = logging.getLogger("python-alipay-sdk")
logger.warning("heard")
logging.config.dictConfig({{"version": 1, "disable_existing_loggers": False,
    "handlers": {{"own": {{"class": "logging.StreamHandler", "stream": told}}}},
    "root": {{"handlers": ["own"], "level": "INFO"}}}})
logger.debug("unheard")
logger.info("heard too")
print(ended, len(logger.handlers), logger.level, told.getvalue().split())
"""


def run(import_it: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WATCHED.format(import_it=import_it)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_importing_the_adapter_disturbs_no_logging_set_up_before_or_after() -> None:
    found = run("import integrations.alipay")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "False 0 0 ['heard', 'heard', 'too']\n"


def test_the_bare_library_would() -> None:
    """Shows that the test above can fail."""
    found = run("import alipay")
    assert found.stdout.startswith("True 1 10 ")
    assert "unheard" in found.stderr


@pytest.mark.parametrize("folder", ["miniapp_api", "core", "integrations", "models", "schemas", "sandbox", "tools"])
def test_one_module_imports_the_library(folder: str) -> None:
    importing = re.compile(r"^\s*(from|import) alipay\b", re.MULTILINE)
    found = [path.name for path in (ROOT / folder).rglob("*.py") if importing.search(path.read_text())]
    assert found == (["_sdk.py"] if folder == "integrations" else [])
