"""The whole house, as `make run` starts it, walked by `make journey`'s own script; and nothing of it readable after."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from running import House, blank_postgres, house
from sqlalchemy import text
from traces import inside_base64

from models import Base


@dataclass(frozen=True)
class Told:
    """How one journey ended, in what it printed."""

    printed: str
    exit_code: int


@dataclass(frozen=True)
class Walked:
    """A house after the journeys of a patient and of a family, what each printed, and what they had made up."""

    house: House
    patient: Told
    family: Told
    secrets: list[str]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    folder = tmp_path_factory.mktemp(f"journey-{request.param}")
    if request.param == "sqlite":
        with house(folder / "data", None) as started:
            yield _walk(started, folder / "secrets.txt")
    else:
        with (
            blank_postgres(request.getfixturevalue("postgres_server")) as url,
            house(folder / "data", url) as started,
        ):
            yield _walk(started, folder / "secrets.txt")


def _walk(started: House, notes: Path) -> Walked:
    told = [_play(started, person, notes) for person in ("patient", "family")]
    made_up = notes.read_text(encoding="utf-8").split("\n")
    return Walked(started, *told, [one for one in made_up if one] + _session_keys(started))


def _play(started: House, person: str, notes: Path) -> Told:
    ran = started.tool("journey.py", PERSON=person, JOURNEY_SECRETS=str(notes))
    return Told(ran.stdout + ran.stderr, ran.returncode)


def _session_keys(started: House) -> list[str]:
    """What the platform handed out and nobody of ours may keep."""
    with sqlite3.connect(started.data / "sandbox" / "state.sqlite3") as platform:
        found = [row[0] for row in platform.execute("select session_key from users") if row[0]]
    platform.close()
    assert found
    return found


@pytest.mark.timeout(900)
def test_the_journey_goes_from_login_to_refund_by_event_and_by_asking(walked: Walked) -> None:
    printed = walked.patient.printed
    assert walked.patient.exit_code == 0, printed
    assert "cause: inbox row" in printed
    assert "cause: the query job" in printed
    assert "invariants: 0 broken" in printed


@pytest.mark.timeout(900)
def test_a_family_is_added_proven_booked_for_handed_over_and_erased(walked: Walked) -> None:
    printed = walked.family.printed
    assert walked.family.exit_code == 0, printed
    for said in ("newborn", "ten-year-old", "face refused", "the spouse took over", "closed the account"):
        assert printed.count(said) >= 2, f"{said}: not with both wallets"
    assert "invariants: 0 broken" in printed


@pytest.mark.timeout(900)
def test_nothing_that_was_made_up_can_be_read_in_database_or_logs(walked: Walked) -> None:
    places = {path.name: path.read_bytes() for path in (walked.house.data / "logs").iterdir()}
    places |= {path.name: path.read_bytes() for path in walked.house.data.glob("yuezhen.db*")}
    places["rows"] = _every_row(walked.house)
    assert len(walked.secrets) > 20
    assert len(places["rows"]) > 100_000
    for secret in walked.secrets:
        for spelled in _spellings(secret):
            assert [name for name, content in places.items() if spelled in content] == [], "a secret is readable"


def _spellings(secret: str) -> list[bytes]:
    """As it is, as JSON and hex write it, and as base64 of it or of any longer text that it stands in."""
    raw, escaped = secret.encode(), json.dumps(secret).strip('"').encode()
    in_base64 = [inside_base64(raw, before) for before in range(3)]
    return [raw, escaped, raw.hex().encode(), raw.hex().upper().encode(), *in_base64]


def _every_row(started: House) -> bytes:
    """Every value of every table as text, bytes as they are."""
    values: list[bytes] = []
    with started.town.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(text(f"SELECT * FROM {table.name}")):
                values += [bytes(one) if isinstance(one, bytes | memoryview) else str(one).encode() for one in row]
    return b"\n".join(values)
