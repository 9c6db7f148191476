"""What a scene code or a link from outside names: a doctor, a department or an appointment, as one short word.

A scene is an address and no permission: whoever follows one to an appointment still has to be its owner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

LONGEST_SCENE = 64
"""Characters that a scene code takes."""

_SCENE = re.compile(r"([a-z]{1,16}):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class SceneKind(StrEnum):
    DOCTOR = "doctor"
    DEPARTMENT = "department"
    APPOINTMENT = "appointment"


@dataclass(frozen=True)
class Scene:
    kind: SceneKind
    id: UUID

    @property
    def page(self) -> str:
        """The mini-program's page that shows it, without a leading slash."""
        return f"pages/{self.kind}/index"

    @property
    def query(self) -> Mapping[str, str]:
        """What the page is opened with."""
        return {"id": str(self.id)}

    @property
    def is_public(self) -> bool:
        """Anybody may know that it is there."""
        return self.kind is not SceneKind.APPOINTMENT


def write_scene(scene: Scene) -> str:
    """`doctor:<uuid>`, at most LONGEST_SCENE characters."""
    return f"{scene.kind}:{scene.id}"


def read_scene(text: str) -> Scene | None:
    """What was written, to the letter; None for every other text, since codes of the account may be others' too."""
    found = _SCENE.fullmatch(text)
    if found is None or found[1] not in set(SceneKind):
        return None
    return Scene(SceneKind(found[1]), UUID(found[2]))
