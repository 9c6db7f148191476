"""The app as it would be at another time, for an operator's command of a journey: what is done on the next morning
cannot be waited for. Nothing that serves patients is started with it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from miniapp_api.app import create_app


class MovedClock:
    """Begins at an instant and goes on from there."""

    def __init__(self, start: datetime) -> None:
        self._ahead: timedelta = start - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


app = create_app(clock=MovedClock(datetime.fromisoformat(os.environ["STARTS_AT"]).astimezone(UTC)))
