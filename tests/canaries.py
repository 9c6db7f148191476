"""Made-up values that may be read nowhere, and the logs of the whole test run, which are read for them (N-2, L-15).

Whoever makes somebody up says so with `plant`: the factories, the clients that type names and numbers, whoever logs in.
Each process of the run (with xdist: each worker) writes down what its loggers would write in production, by the same
formatter and so with the same masking, together with the logs of the processes it started. When its last test has
ended, all of it is read once for all that was planted, before the line or after it; what is found fails the run.
Reading is cheap: a line is looked through once, by the first letters of what was planted.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import structlog

from miniapp_api import logs

PERSONAL = frozenset(
    {
        "name", "id_number", "phone", "address", "email", "insurance_number", "allergies_and_history", "complaint",
        "text", "token",
    }
)  # fmt: skip
"""What a client types about people, by its name in a body."""

_SHORTEST, _SHORTEST_HAN = 10, 3
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_STARTS = (_SHORTEST, _SHORTEST_HAN)
_lock = threading.Lock()
_planted: set[str] = set()


def plant(*values: str | None) -> None:
    """From now on these are looked for. What is so short that it stands in innocent text by chance is left out."""
    with _lock:
        for value in values:
            if value and len(value) >= (_SHORTEST_HAN if _HAN.match(value) else _SHORTEST):
                _planted.add(value.removeprefix("+86"))


def plant_typed(body: Any) -> None:
    """What a request says about people, however deep it says it."""
    if isinstance(body, dict):
        for key, value in body.items():
            if key in PERSONAL and isinstance(value, str):
                plant(value)
            else:
                plant_typed(value)
    elif isinstance(body, list):
        for one in body:
            plant_typed(one)


def found_in(line: str, index: dict[str, list[str]]) -> Iterator[str]:
    """What of the index stands in the line, with the escapes of JSON undone."""
    if "\\u" in line:
        with suppress(ValueError):
            line = json.dumps(json.loads(line), ensure_ascii=False)
    for at in range(len(line)):
        for length in _STARTS:
            for wanted in index.get(line[at : at + length], ()):
                if line.startswith(wanted, at):
                    yield wanted


def indexed(values: Iterable[str]) -> dict[str, list[str]]:
    """By the letters they begin with: as many as the shortest of its kind has."""
    index = defaultdict(list)
    for value in values:
        index[value[: _SHORTEST_HAN if _HAN.match(value) else _SHORTEST]].append(value)
    return dict(index)


class _Writer(logging.Handler):
    """Everything that reaches the root logger, as production would write it."""

    def __init__(self, notes: IO[str]) -> None:
        super().__init__()
        self.notes = notes
        self.setFormatter(logs.formatter([structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]))

    def emit(self, record: logging.LogRecord) -> None:
        self.notes.write(f"{self.format(record)}\t{os.environ.get('PYTEST_CURRENT_TEST', '')}\n")


@dataclass
class Watch:
    """The log of one process of the run."""

    notes: IO[str]
    lines: int = field(default=0)

    def read_all(self) -> list[str]:
        """One sentence for each place where something planted can be read; never the value itself."""
        self.notes.flush()
        self.notes.seek(0)
        with _lock:
            index = indexed(_planted)
        told: set[str] = set()
        for noted in self.notes:
            self.lines += 1
            line, _, test = noted.rstrip("\n").rpartition("\t")
            for value in found_in(line, index):
                told.add(f"{value[0]}… ({len(value)} letters) stands in a log line of {test or 'a fixture'}")
        return sorted(told)


_watch: Watch | None = None


def swallow(*paths: Path) -> None:
    """The logs of processes that a test started are the run's as well."""
    if _watch is None:
        return
    for path in paths:
        with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="backslashreplace") as told:
            for line in told:
                _watch.notes.write(f"{line.rstrip()}\t{os.environ.get('PYTEST_CURRENT_TEST', path.name)}\n")


@contextmanager
def watched() -> Iterator[Watch]:
    """Write down what the loggers of this process say until the block ends."""
    global _watch  # noqa: PLW0603 - one log, one process
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as notes:
        writer, _watch = _Writer(notes), Watch(notes)
        logging.getLogger().addHandler(writer)
        try:
            yield _watch
        finally:
            logging.getLogger().removeHandler(writer)
            _watch = None


@contextmanager
def all_logged() -> Iterator[list[str]]:
    """Whatever any logger says at DEBUG, as production writes it."""
    lines, root = list[str](), logging.getLogger()

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.dumps(json.loads(self.format(record)), ensure_ascii=False))

    keeping, level = Keeping(), root.level
    keeping.setFormatter(logs.formatter([structlog.stdlib.add_logger_name]))
    root.addHandler(keeping)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(keeping)
        root.setLevel(level)
