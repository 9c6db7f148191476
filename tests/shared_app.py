"""One app for the process. Building its routes and their document takes longer than most tests."""

from __future__ import annotations

from core.clock import Clock
from core.registry import Adapters
from miniapp_api import logs
from miniapp_api.app import App, create_app, make_workbench
from miniapp_api.config import Config
from miniapp_api.services import EXTENSION, Services

_made: list[App] = []


def app_with(config: Config, *, clock: Clock, adapters: Adapters | None = None) -> App:
    """The app as `create_app` makes it; what its requests find behind it is new. Not for tests of limits."""
    if not _made:
        _made.append(create_app(config, adapters=adapters, clock=clock))
    else:
        logs.configure(config.log_level)
        _made[0].extensions[EXTENSION] = Services(config, make_workbench(config, adapters, clock))
    return _made[0]
