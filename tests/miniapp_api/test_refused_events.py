"""What is told to operators of a platform's message that was not taken."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from miniapp_api.callbacks import events


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
    monkeypatch: pytest.MonkeyPatch, reason: str, *, alarms: bool
) -> None:
    """Anybody can send noise; this needs the platform's own signature, so our accounts are set up wrongly."""
    monkeypatch.setattr(events, "_kept", SimpleNamespace(admits=lambda: False))
    with capture_logs() as lines:
        events.keep_sample("alipay", "demo", reason)
    assert [line.get("alarm", False) for line in lines] == [alarms]
