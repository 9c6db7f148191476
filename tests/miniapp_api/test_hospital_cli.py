"""Connecting a hospital to its own system."""

from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result
from factories import make_hospital
from fakes import FakeAdapters, ManualClock
from fakes_hospital import FakeHospital

from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.services import EXTENSION
from models.hospital import Hospital


def run(app: App, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=["connect-hospital", *args])


def system_of(app: App, code: str) -> str | None:
    transactions = app.extensions[EXTENSION].workbench.transactions
    found: str | None = transactions.read(
        lambda session, _now: session.query(Hospital.system).filter(Hospital.code == code).scalar()
    )
    return found


def test_a_hospital_is_connected_and_its_numbers_are_ours_again(
    make_app: Callable[..., App], config: Config, clock: ManualClock
) -> None:
    adapters = FakeAdapters(clock)
    app = make_app(config, adapters=adapters)
    workbench = app.extensions[EXTENSION].workbench
    workbench.transactions.write(lambda session, _now: make_hospital(session, code="HC"))
    refused = run(app, "HC", "his")
    assert (refused.exit_code, system_of(app, "HC")) == (1, None)
    assert "no such system" in refused.output
    adapters.hospitals["his"] = FakeHospital()
    done = run(app, "HC", "his")
    assert json.loads(done.output) == {"code": "HC", "was": None, "system": "his", "open_otherwise": 0}
    assert system_of(app, "HC") == "his"
    assert json.loads(run(app, "HC").output)["was"] == "his"
    assert system_of(app, "HC") is None
    unknown = run(app, "NOBODY")
    assert (unknown.exit_code, "no such hospital" in unknown.output) == (1, True)
