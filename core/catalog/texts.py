"""The search texts of a directory, made before its transaction begins: spelling out names takes a while."""

from __future__ import annotations

from core.catalog.folder import Directory
from core.catalog.pinyin import Overrides, search_text
from core.catalog.search import aliases_of


def spell_out(directory: Directory, overrides: Overrides) -> dict[tuple[str, str], str]:
    """By kind (`hospital`, `department`, `doctor`) and code."""
    texts = {}
    for hospital in directory.hospitals:
        texts["hospital", hospital.code] = search_text(hospital.name, aliases_of(hospital.alias), overrides=overrides)
    for department in directory.departments:
        texts["department", department.code] = search_text(
            department.name, aliases_of(department.alias), overrides=overrides
        )
    for doctor in directory.doctors:
        texts["doctor", doctor.code] = search_text(doctor.name, overrides=overrides, person=True)
    return texts
