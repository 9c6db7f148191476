"""Operator commands of the calendar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from click.testing import Result
from fakes import ManualClock

from miniapp_api.app import App


def run(app: App, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=list(args))


def test_what_we_know_is_loaded_and_its_reach_told(app: App, clock: ManualClock) -> None:
    clock.advance(-timedelta(days=60))
    assert run(app, "calendar-coverage").exit_code == 1
    loaded = run(app, "load-calendar")
    assert loaded.exit_code == 0, loaded.output
    assert "calendar_days.csv: 72 new, 0 changed, 0 retired, 0 unchanged" in loaded.output
    assert "half days to come whose times follow the new calendar: 0\n" in loaded.output
    assert "the calendar tells everything until 2026-12-31, needed is 2026-11-07\n" in loaded.output
    assert run(app, "calendar-coverage").exit_code == 0
    clock.advance(timedelta(days=60))
    ending = run(app, "calendar-coverage")
    assert ending.exit_code == 1
    assert "needed is 2027-01-06: LOAD THE NEXT YEAR" in ending.output


def test_a_bad_file_writes_nothing(app: App, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("date,kind,name\n2026-01-01,holiday,元旦\n2026-13-01,holiday,元旦\n")
    refused = run(app, "load-calendar", str(path))
    assert refused.exit_code == 1
    assert "days.csv:3 date bad_date: must be YYYY-MM-DD" in refused.output
    assert "nothing was written" in refused.output
    assert "0 unchanged" in run(app, "load-calendar").output
