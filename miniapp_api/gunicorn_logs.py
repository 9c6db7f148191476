"""gunicorn's own lines, through the one handler: JSON and masked, as it may repeat what a stranger sent.

`logger_class = "miniapp_api.gunicorn_logs.Logger"` in gunicorn.conf.py.
"""

from __future__ import annotations

import os

from gunicorn import glogging  # type: ignore[import-untyped]
from gunicorn.config import Config  # type: ignore[import-untyped]

from miniapp_api import logs
from miniapp_api.config import LOG_LEVELS


class Logger(glogging.Logger):  # type: ignore[misc] # gunicorn is untyped
    """gunicorn's logger without handlers and formats of its own."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        level = os.environ.get("LOG_LEVEL", "INFO")
        logs.configure(level if level in LOG_LEVELS else "INFO")  # the app itself refuses a wrong one, with its reason
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
