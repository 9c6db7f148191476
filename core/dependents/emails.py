"""E-mail addresses: typed as people type them, stored in one form, shown masked."""

from __future__ import annotations

import re
import unicodedata

from core.dependents.typed import InputFault

EMAIL_MAX, LOCAL_MAX = 254, 64
"""RFC 5321: as long as a mail server has to take."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {ord("。"): "."}
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_FORM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])")


def read_email(typed: str) -> str:
    """Full-width characters folded, blanks and invisible characters dropped; the domain in lower case.

    Whether anybody reads mail there is not asked. Raises: InputFault with `empty`, `too_long` or `bad_format`."""
    folded = typed.translate(_FULL_WIDTH)
    email = "".join(one for one in folded if not one.isspace() and unicodedata.category(one) != "Cf")
    if not email:
        raise InputFault("empty")
    local, _, domain = email.rpartition("@")
    if len(email) > EMAIL_MAX or len(local) > LOCAL_MAX:
        raise InputFault("too_long")
    if _FORM.fullmatch(email) is None:
        raise InputFault("bad_format")
    return f"{local}@{domain.lower()}"


def masked_email(email: str) -> str:
    """z***@example.com; of a single letter before the @ nothing is shown."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}***@{domain}"
