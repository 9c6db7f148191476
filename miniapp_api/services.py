"""What a running app has at hand, found from any route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from core.workbench import Workbench
from miniapp_api.config import Config
from miniapp_api.throttle import Throttle

EXTENSION = "yuezhen"

# A flood of forgeries must not become a flood of writes: a sample is enough to look at.
KEPT_PER_SECOND = 5


@dataclass(frozen=True)
class Services:
    config: Config
    workbench: Workbench
    samples: Throttle = field(default_factory=lambda: Throttle(KEPT_PER_SECOND))  # of refused messages, to be kept


def services() -> Services:
    """The services of the app that serves this request."""
    return cast(Services, current_app.extensions[EXTENSION])
