"""Operator commands of supply."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from catalog_folder import Folder
from click.testing import Result
from spreadsheet import csv_bytes, row, xlsx_bytes
from sqlalchemy import func, select

from core.catalog.faults import Fault
from core.catalog.import_rows import read_import
from core.transactions import Transactions
from miniapp_api.app import App
from models.base import new_id
from models.schedule import Schedule, Slot

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "docs" / "operations" / "half-days.csv"


@pytest.fixture
def directory(app: App, tmp_path: Path) -> Path:
    """Loaded; where files may lie."""
    path = tmp_path / "directory"
    path.mkdir()
    assert run(app, "load-directory", str(Folder(path).write())).exit_code == 0
    return tmp_path


def run(app: App, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=list(args))


def counts(transactions: Transactions) -> tuple[int | None, int | None]:
    return transactions.read(
        lambda session, _now: (
            session.scalar(select(func.count()).select_from(Schedule)),
            session.scalar(select(func.count()).select_from(Slot)),
        )
    )


@pytest.mark.parametrize("save", [csv_bytes, lambda rows: xlsx_bytes([list(_heads()), *rows])])
def test_a_file_is_tried_imported_and_imported_again(
    app: App, directory: Path, transactions: Transactions, save: object
) -> None:
    path, before = directory / "half-days", counts(transactions)
    path.write_bytes(save([row(), row(visit_date="2026/11/29")]))  # type: ignore[operator]
    told = "half-days: 2 new half days with 16 numbers, 0 made anew, 0 with other numbers, 0 unchanged\n"

    tried = run(app, "import-schedules", str(path), "--dry-run")
    assert (tried.exit_code, tried.output) == (0, f"nothing was written; this would happen:\n{told}")
    assert counts(transactions) == before

    done = run(app, "import-schedules", str(path))
    assert (done.exit_code, done.output) == (0, told)
    after = counts(transactions)
    assert after != before
    assert "0 with other numbers, 2 unchanged" in run(app, "import-schedules", str(path)).output
    assert counts(transactions) == after


def _heads() -> list[str]:
    return next(csv.reader([csv_bytes([]).decode()]))


def test_other_numbers_are_told(app: App, directory: Path) -> None:
    path = directory / "half-days.csv"
    path.write_bytes(csv_bytes([row()]))
    run(app, "import-schedules", str(path))
    path.write_bytes(csv_bytes([row(numbers_per_segment="1")]))
    assert "numbers added: 0, taken back: 4" in run(app, "import-schedules", str(path)).output


def test_a_row_that_nobody_fits_is_told_and_imported(app: App, directory: Path) -> None:
    policies = [{"level": "doctor", "code": "DOC1", "policy": {"age_from": 14, "age_to": 6}}]
    folder = Folder(directory / "directory", policies=policies)
    assert run(app, "load-directory", str(folder.write())).exit_code == 0
    path = directory / "half-days.csv"
    path.write_bytes(csv_bytes([row(doctor_code=""), row()]))
    for more in (["--dry-run"], []):
        done = run(app, "import-schedules", str(path), *more)
        assert (done.exit_code, done.output.count("nobody can book it")) == (0, 1)
        assert "half-days.csv:3 nobody can book it: the ages of its department and policies exclude" in done.output


def test_every_bad_row_is_told_and_nothing_is_written(app: App, directory: Path, transactions: Transactions) -> None:
    before, path = counts(transactions), directory / "half-days.csv"
    path.write_bytes(csv_bytes([row(), row(fee="\x1b[2J"), row(department_code="D9"), row(visit_date="2020-01-01")]))
    refused = run(app, "import-schedules", str(path))
    assert refused.exit_code == 1
    assert refused.output.splitlines() == [
        "half-days.csv:3 fee bad_amount: must be yuan from 0 to 100000, with at most two decimals",
        "half-days.csv:4 department_code unknown_code: H1 has no D9",
        "half-days.csv:5 visit_date in_the_past: nobody could book it any more",
        "3 faults, nothing was written",
    ]
    assert counts(transactions) == before


def test_the_example_of_the_clerks_page_fits_the_sample_directory() -> None:
    faults: list[Fault] = []
    rows = read_import(EXAMPLE, faults)
    assert (faults, len(rows)) == ([], 3)
    sample = ROOT / "data" / "sample"
    known = {
        name: {line["code"] for line in csv.DictReader((sample / f"{name}.csv").read_text("utf-8").splitlines())}
        for name in ("hospitals", "campuses", "departments", "doctors")
    }
    for one in rows:
        sitting = one.sitting
        assert sitting.hospital_code in known["hospitals"]
        assert sitting.campus_code in known["campuses"]
        assert sitting.department_code in known["departments"]
        assert sitting.doctor_code in {"", *known["doctors"]}


def test_the_example_of_the_clerks_page_is_imported(app: App, directory: Path, transactions: Transactions) -> None:
    """With its codes for those of a small directory."""
    names = {
        "BJ001-A": "H1-A",
        "BJ001-D041": "H1-D1",
        "BJ001-D062": "H1-D1",
        "DOC0001": "DOC1",
        "DOC0002": "",
        "BJ001": "H1",
    }
    text = EXAMPLE.read_text(encoding="utf-8")
    for theirs, ours in names.items():
        text = text.replace(theirs, ours)
    path = directory / "half-days.csv"
    path.write_text(text, encoding="gb18030")
    done = run(app, "import-schedules", str(path))
    assert "3 new half days with 41 numbers" in done.output, done.output
    fees = transactions.read(
        lambda session, _now: session.scalars(select(Schedule.fee_fen).where(Schedule.imported_at.is_not(None))).all()
    )
    assert sorted(fees) == [5000, 6000, 8050]


def test_an_extra_number_that_cannot_be_is_told(app: App) -> None:
    nobody = str(new_id())
    args = ["issue-extra-number", nobody, nobody, "--doctor", "DOC1", "--operator", "desk"]
    unknown = run(app, *args, "--reason", "urgent")
    assert (unknown.exit_code, unknown.output) == (1, "no such half day or dependent\n")
    assert run(app, *args, "--reason", "because").exit_code == 2


def test_a_kept_number_that_cannot_be_is_told(app: App) -> None:
    nobody = str(new_id())
    args = ["issue-kept-number", nobody, nobody, "--operator", "desk"]
    unknown = run(app, *args, "--channel", "on_site")
    assert (unknown.exit_code, unknown.output) == (1, "no such half day or dependent\n")
    assert run(app, *args, "--channel", "web").exit_code == 2
