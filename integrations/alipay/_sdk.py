"""The one import of python-alipay-sdk (3.4.0), without what it does to logging (alipay.md 12.4, trap 8)."""

from __future__ import annotations

import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Importing the library configures logging: handlers that stand are closed, and one at DEBUG is added."""
    configure: Any = logging.config.dictConfig
    logging.config.dictConfig = lambda config: None
    try:
        yield
    finally:
        logging.config.dictConfig = configure


with _logging_left_alone():
    from alipay import AliPay  # type: ignore[import-untyped]

__all__ = ["AliPay"]
