"""The watch over the run's logs sees what it is there to see."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from canaries import Watch, _Writer, found_in, indexed, plant, plant_typed, swallow


@pytest.fixture
def own_watch() -> Iterator[Watch]:
    """Beside the one of the run, so that what is said here does not fail it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as notes:
        yield Watch(notes)


def letters() -> str:
    """Something new. Without digits: production masks long runs of those, and what is masked is not found."""
    return uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))


def say(watch: Watch, message: str, **said: object) -> None:
    """One record of a logger that only this watch hears."""
    logger = logging.Logger("apart")
    logger.addHandler(_Writer(watch.notes))
    structlog.wrap_logger(
        logger,
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    ).info(message, **said)


@pytest.mark.parametrize("begins", ["测试飞鸟", "欧阳·", "E5512", "open-id-"])
@pytest.mark.parametrize("frame", ["{}", "x{}y", '{{"inner": "{}"}}'])
def test_what_is_planted_is_found_wherever_it_stands(own_watch: Watch, begins: str, frame: str) -> None:
    planted = begins + letters()
    say(own_watch, "before", seen=frame.format(planted))
    plant(planted)  # the line came first
    (found,) = own_watch.read_all()
    assert "test_what_is_planted_is_found_wherever_it_stands" in found
    assert planted not in found


def test_what_production_masks_is_not_found(own_watch: Watch) -> None:
    plant("13500007531", "110101195306153019")
    say(own_watch, "call 13500007531", name="测试无名", seen=["110101195306153019"])
    assert own_watch.read_all() == []
    assert own_watch.lines == 1


def test_what_a_request_types_about_people_is_planted_however_deep(own_watch: Watch) -> None:
    address = f"测试路{letters()}号"
    plant_typed({"items": [{"contact": {"address": address, "region_code": "320106"}}]})
    say(own_watch, f"moved to {address}, region 320106")
    assert len(own_watch.read_all()) == 1


def test_short_words_are_not_looked_for(own_watch: Watch) -> None:
    plant("a", "123456", "测", None)
    say(own_watch, "a 测 123456")
    assert own_watch.read_all() == []


def test_escapes_are_undone_and_broken_lines_are_read_as_they_are() -> None:
    index = indexed(["测试飞鸟"])
    assert list(found_in(json.dumps({"x": "测试飞鸟"}), index)) == ["测试飞鸟"]
    assert list(found_in("\\u6d4b is no JSON, 测试飞鸟 is seen", index)) == ["测试飞鸟"]


def test_the_logs_of_processes_are_read_too(own_watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canaries._watch", own_watch)
    (tmp_path / "api.log").write_text('{"event": "hello open-id-of-a-process"}\n')
    plant("open-id-of-a-process")
    swallow(tmp_path / "api.log", tmp_path / "none.log")
    assert len(own_watch.read_all()) == 1
