"""What is told to operators of a platform's message that was not taken."""

from __future__ import annotations

from contextlib import closing

import pytest
from fakes import ManualClock
from shared_app import app_with
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from miniapp_api.callbacks import events
from miniapp_api.config import Config
from miniapp_api.services import KEPT_PER_SECOND, services
from models.platform import RefusedEvent


@pytest.mark.parametrize(
    ("reason", "alarms"),
    [
        ("foreign_app", True),
        ("foreign_seller", True),
        ("foreign_merchant", True),
        ("bad_signature", False),
        ("unreadable", False),
    ],
)
def test_a_proven_message_about_somebody_elses_money_raises_an_alarm(
    config: Config, clock: ManualClock, reason: str, *, alarms: bool
) -> None:
    """Anybody can send noise; this needs the platform's own signature, so our accounts are set up wrongly."""
    app = app_with(config, clock=clock)
    with app.app_context(), closing(services().workbench.transactions.database), capture_logs() as lines:
        events.keep_sample("alipay", "demo", reason)
    assert [line.get("alarm", False) for line in lines] == [alarms]


def test_what_one_app_keeps_of_a_flood_is_counted_for_it_alone(config: Config, clock: ManualClock) -> None:
    """A second that another app of the process used up is not this one's."""
    for _ in range(2):
        app = app_with(config, clock=clock)
        with app.app_context(), closing(services().workbench.transactions.database) as database:
            for _ in range(KEPT_PER_SECOND * 3):
                events.keep_sample("alipay", "demo", "bad_signature")
            with database.write() as session:
                kept = session.scalars(select(RefusedEvent)).all()
                assert KEPT_PER_SECOND <= len(kept) <= KEPT_PER_SECOND * 2
                session.execute(delete(RefusedEvent))
