"""Identity documents: one table of kinds, pure functions, and a stable code for every fault (rules.md 1.3).

Whether such a person exists is a matter of identity checks.
"""

from core.dependents.documents.kinds import KINDS, PASSING, Document, TypedDocument, read_document, read_number
from core.dependents.documents.masks import masked_for_others, masked_number
from core.dependents.documents.numbers import UNKNOWN_AREA, NumberRead, check_character, normal_number

__all__ = [
    "KINDS",
    "PASSING",
    "UNKNOWN_AREA",
    "Document",
    "NumberRead",
    "TypedDocument",
    "check_character",
    "masked_for_others",
    "masked_number",
    "normal_number",
    "read_document",
    "read_number",
]
