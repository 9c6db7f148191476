"""A patient at the HTTP face of an app whose platforms are stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from canaries import plant, plant_typed
from fakes import ManualClock
from flask.testing import FlaskClient
from people import APP, PROVIDER, FakeLogin, FakeVerifier, PeopleAdapters
from werkzeug.test import TestResponse

from core.identity.consent_texts import current_version
from core.ports import LoginRefused, PlatformUser
from core.workbench import Workbench
from miniapp_api.app import App, create_app
from miniapp_api.config import Config
from miniapp_api.services import EXTENSION
from models.account import Purpose

SELF = {
    "name": "测试甲",
    "id_type": "resident_id",
    "id_number": "330102199001019973",
    "phone": "13800000000",
    "relationship": "self",
}
MOTHER = {
    "name": "测试丙",
    "id_type": "resident_id",
    "id_number": "110101196201019969",
    "phone": "13900000000",
    "relationship": "parent",
}


@dataclass
class Users(FakeLogin):
    """Knows the code `code-of-NAME` as the user NAME."""

    def exchange_code(self, code: str) -> PlatformUser:
        if self.failure is not None:
            raise self.failure
        if not code.startswith("code-of-"):
            raise LoginRefused("40029")
        return PlatformUser(PROVIDER, APP, open_id=f"open-id-{code.removeprefix('code-of-')}")


@dataclass
class Clinic:
    """The app, its clock, and the platform behind it."""

    app: App
    clock: ManualClock
    users: Users
    verifier: FakeVerifier

    @property
    def workbench(self) -> Workbench:
        found: Workbench = self.app.extensions[EXTENSION].workbench
        return found

    def patient(self, name: str, *, agreed: bool = True) -> Patient:
        """Logged in, and with the account's consents given unless told otherwise."""
        client = self.app.test_client()
        session = client.post("/api/v1/sessions", json={"provider": PROVIDER, "code": f"code-of-{name}"})
        assert session.status_code == 201, session.text
        patient = Patient(client, session.json["token"])
        if agreed:
            patient.agree("service")
            patient.agree("sensitive_identity")
        return patient


@contextmanager
def open_clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    users, verifier = Users(), FakeVerifier()
    app = create_app(config, adapters=PeopleAdapters([users], [verifier]), clock=clock)
    clinic = Clinic(app, clock, users, verifier)
    yield clinic
    clinic.workbench.transactions.database.close()


@dataclass
class Patient:
    client: FlaskClient
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        plant(self.token)

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: str) -> TestResponse:
        plant_typed(body)
        headers = {"Authorization": f"Bearer {self.token}", **more}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)

    def get(self, path: str) -> TestResponse:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> TestResponse:
        return self.send("POST", path, body, key=key or str(uuid4()))

    def agree(self, purpose: str, dependent_id: str | None = None, *, granted: bool = True) -> TestResponse:
        said: dict[str, Any] = {"purpose": purpose, "version": current_version(Purpose(purpose)), "granted": granted}
        if dependent_id is not None:
            said["dependent_id"] = dependent_id
        answer = self.send("POST", "/account/consents", said)
        assert answer.status_code == 201, answer.text
        return answer

    def add(self, wanted: dict[str, Any] | None = None) -> str:
        """The id of the dependent."""
        answer = self.post("/dependents", wanted or SELF)
        assert answer.status_code == 201, answer.text
        added: str = answer.json["id"]
        return added
