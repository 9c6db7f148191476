"""Nothing that names a person is readable: not in the database's bytes, not in the logs, not in a reply (N-2, L-14)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes import ManualClock
from people_http import MOTHER, SELF, Clinic, open_clinic
from traces import bytes_of, traces

from core.identity.platform_tokens import DatabaseTokenStore
from core.ports import FaceOutcome, FaceResult
from miniapp_api.config import Config
from models.database import Database

ADDRESS = "测试市测试路二十七号"


@pytest.fixture
def clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    with open_clinic(config, clock) as opened:
        yield opened


def play(clinic: Clinic) -> list[str]:
    """Everything that people do here; returns what must not be found anywhere."""
    patient = clinic.patient("canary")
    own = patient.add({**SELF, "address": ADDRESS})
    patient.add(MOTHER)
    patient.agree("face", own)
    check = patient.post(f"/dependents/{own}/identity-checks", {"method": "wechat_face"}).json
    clinic.verifier.answers = [FaceResult(FaceOutcome.PASSED)]
    patient.send("POST", f"/identity-checks/{check['id']}/completion", {})
    clinic.app.test_cli_runner().invoke(args=["verify-on-site", own, "--operator", "desk", "--document-seen"])
    store = DatabaseTokenStore(clinic.workbench.transactions, clinic.workbench.vault)
    store.token("wechat_access_token:x", lambda: ("access-token-canary", clinic.clock.now() - clinic.clock.now()))
    said = [value for wanted in (SELF, MOTHER) for value in (wanted["name"], wanted["id_number"], wanted["phone"])]
    asked = clinic.verifier.asked[0]
    return [
        *said,
        ADDRESS,
        "open-id-canary",
        patient.token,
        "access-token-canary",
        asked["reference"],
        asked["evidence"],
    ]


def test_the_database_gives_nothing_away(clinic: Clinic, database: Database) -> None:
    secrets = play(clinic)
    kept = bytes_of(database)
    assert b"verified" in kept
    assert [secret for secret in secrets for trace in traces(secret) if trace in kept] == []


def test_the_logs_give_nothing_away(
    clinic: Clinic, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secrets = play(clinic)
    streams = capfd.readouterr()
    logged = (streams.out + streams.err + caplog.text).encode()
    assert b"/api/v1/dependents" in logged
    assert [secret for secret in secrets for trace in traces(secret) if trace in logged] == []
