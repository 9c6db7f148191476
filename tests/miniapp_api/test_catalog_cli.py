"""Operator commands: load a directory, publish the coming days."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from catalog_folder import Folder
from click.testing import Result
from fakes import ManualClock
from sqlalchemy import func, select

from core.transactions import Transactions
from miniapp_api.app import App
from miniapp_api.services import EXTENSION
from models.database import Database
from models.hospital import Hospital
from models.schedule import Schedule


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "directory"
    path.mkdir()
    return Folder(path)


def run(app: App, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=list(args))


def rows(transactions: Transactions) -> tuple[int | None, int | None]:
    return transactions.read(
        lambda session, _now: (
            session.scalar(select(func.count()).select_from(Hospital)),
            session.scalar(select(func.count()).select_from(Schedule)),
        )
    )


def test_a_directory_is_loaded_and_published_with_a_summary(
    app: App, folder: Folder, transactions: Transactions
) -> None:
    result = run(app, "load-directory", str(folder.write()))
    assert result.exit_code == 0, result.output
    assert "departments.csv: 4 new, 0 changed, 0 retired, 0 unchanged" in result.output
    assert "published: 7 schedules with 62 numbers" in result.output
    assert rows(transactions) == (2, 7)

    again = run(app, "load-directory", str(folder.path))
    assert again.exit_code == 0
    assert "departments.csv: 0 new, 0 changed, 0 retired, 4 unchanged" in again.output
    assert "published: 0 schedules with 0 numbers" in again.output


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        (["shop"], []),
        (
            ["shop", "other"],
            ["hospitals.csv: 1 hospitals name no merchant, and are paid to the first account of each app"],
        ),
        (["other"], ["hospitals.csv:3 merchant not_configured: nobody can pay online to shop"]),
    ],
)
def test_whose_money_no_account_of_its_own_receives_is_told(
    app: App, folder: Folder, monkeypatch: pytest.MonkeyPatch, accounts: list[str], told: list[str]
) -> None:
    """One of them names `shop`, the other one nobody."""
    adapters = app.extensions[EXTENSION].workbench.adapters
    monkeypatch.setattr(adapters, "bill_sources", lambda: {("wechat_pay", one): None for one in accounts})
    result = run(app, "load-directory", str(folder.write()))
    assert result.exit_code == 0
    assert [line for line in result.output.splitlines() if "merchant" in line] == told


def test_a_changed_policy_reaches_published_schedules(app: App, folder: Folder) -> None:
    run(app, "load-directory", str(folder.write()))
    folder.policies = [{"level": "platform", "code": "", "policy": {"hold_minutes": 20}}]
    result = run(app, "load-directory", str(folder.write()))
    assert "policies.json: 1 new" in result.output
    assert "terms renewed: 7 schedules" in result.output


@pytest.mark.parametrize(
    ("policy", "ages"),
    [
        ({"age_from": 19}, "from 19 to 18 years"),
        ({"age_from": 1, "age_to_days": 364}, "from 1 to 18 years, and at most 364 days"),
        ({"age_from": 18}, None),
        ({"age_from": 1, "age_to_days": 365}, None),
    ],
)
def test_a_clinic_that_nobody_fits_is_told_and_published(
    app: App, folder: Folder, policy: dict[str, int], ages: str | None
) -> None:
    """The directory has the department up to 18."""
    folder.policies = [{"level": "doctor", "code": "DOC2", "policy": policy}]
    nobody = "nobody can book, the ages exclude one another: "
    told = f"{nobody}H2-D1/DOC2: 2 half days from 2026-11-27 on are for ages {ages}"
    for command in (["load-directory", str(folder.write())], ["extend-schedules"]):
        result = run(app, *command)
        assert result.exit_code == 0, result.output
        assert [line for line in result.output.splitlines() if nobody in line] == ([told] if ages else [])


def test_bad_rows_are_all_told_and_nothing_is_written(app: App, folder: Folder, transactions: Transactions) -> None:
    folder.row("rosters.csv", 2)["fee_fen"] = "-1"
    folder.row("doctors.csv", 0)["sex"] = "?"
    result = run(app, "load-directory", str(folder.write()))
    assert result.exit_code == 1
    assert "doctors.csv:2 sex bad_word: must be one of M, F" in result.output
    assert "rosters.csv:4 fee_fen bad_number: must be a whole number from 0 to 10000000" in result.output
    assert "2 faults, nothing was written" in result.output
    assert rows(transactions) == (0, 0)


def test_a_folder_that_is_not_there_is_told(app: App, tmp_path: Path) -> None:
    result = run(app, "load-directory", str(tmp_path / "nowhere"))
    assert result.exit_code == 2
    assert "does not exist" in result.output


def test_an_unusable_table_of_readings_stops_the_load(
    app: App, folder: Folder, transactions: Transactions, tmp_path: Path
) -> None:
    (tmp_path / "readings.json").write_text("[]")
    result = run(app, "load-directory", "--readings", str(tmp_path / "readings.json"), str(folder.write()))
    assert result.exit_code == 1
    assert "nothing was written" in result.output
    assert rows(transactions) == (0, 0)


def test_the_coming_days_can_be_published_by_hand(app: App, folder: Folder, clock: ManualClock) -> None:
    run(app, "load-directory", str(folder.write()))
    clock.advance(timedelta(days=7))
    result = run(app, "extend-schedules")
    assert result.exit_code == 0
    assert "published: 3 schedules" in result.output
    assert "published: 3 schedules" in run(app, "extend-schedules", "--days", "22").output
    assert run(app, "extend-schedules", "--days", "0").exit_code == 2


def test_a_database_that_is_away_is_told(app: App, folder: Folder, tmp_path: Path) -> None:
    transactions = app.extensions[EXTENSION].workbench.transactions
    transactions.database.close()
    transactions.database = Database("postgresql://nobody@127.0.0.1:1/none")
    for command in (["load-directory", str(folder.write())], ["extend-schedules"]):
        result = run(app, *command)
        assert result.exit_code == 1
        assert "busy or away (overloaded)" in result.output
        assert "Traceback" not in result.output
