"""Checks of a platform account's fields, made when it is made. An error names the field and never shows its value."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

WORD = re.compile(r"[0-9A-Za-z_.-]{1,128}")
DIGITS = re.compile(r"[0-9]{1,32}")


def require_match(pattern: re.Pattern[str], name: str, value: str) -> None:
    """Raises: ValueError."""
    if pattern.fullmatch(value) is None:
        raise ValueError(f"{name} is missing or has characters that do not belong there")


def require_plain_url(name: str, url: str) -> None:
    """Absolute, http or https, without credentials, query and fragment. Raises: ValueError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"{name} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{name} must be an absolute http(s) URL without credentials")
    if "?" in url or "#" in url:
        raise ValueError(f"{name} must have no query and no fragment")
