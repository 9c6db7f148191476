"""What refuses an appeal against a strike."""

from __future__ import annotations

from models.errors import Conflict


class AlreadyAppealed(Conflict):
    """One appeal for a strike: the hospital has heard this one, or is about to."""

    code = "already_appealed"


class NotAppealable(Conflict):
    """The strike counts no more, or its appeal was decided otherwise: there is nothing to decide."""

    code = "not_appealable"
