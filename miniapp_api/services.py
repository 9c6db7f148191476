"""What a running app has at hand, found from any route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from core.workbench import Workbench
from miniapp_api.config import Config

EXTENSION = "yuezhen"


@dataclass(frozen=True)
class Services:
    config: Config
    workbench: Workbench


def services() -> Services:
    """The services of the app that serves this request."""
    return cast(Services, current_app.extensions[EXTENSION])
