"""What people are to one another in the codes of GB/T 4761, as they are exchanged with hospitals (rules.md 1.1.9)."""

from __future__ import annotations

from collections.abc import Mapping

from models.guardian import GuardianRelation
from models.person import Relationship, Sex

ONE_DIGIT: Mapping[Relationship, str] = {
    Relationship.SELF: "0",
    Relationship.SPOUSE: "1",
    Relationship.SON: "2",
    Relationship.DAUGHTER: "3",
    Relationship.GRANDCHILD: "4",
    Relationship.PARENT: "5",
    Relationship.GRANDPARENT: "6",
    Relationship.SIBLING: "7",
    Relationship.OTHER: "8",
}
"""Our words, each with its code. 9 (of no kin) is met in some tables only and reads as other."""

SEX_OF_GUARDIAN: Mapping[GuardianRelation, Sex] = {
    GuardianRelation.FATHER: Sex.MALE,
    GuardianRelation.MOTHER: Sex.FEMALE,
    GuardianRelation.STEP_OR_ADOPTIVE_FATHER: Sex.MALE,
    GuardianRelation.STEP_OR_ADOPTIVE_MOTHER: Sex.FEMALE,
    GuardianRelation.FATHERS_FATHER: Sex.MALE,
    GuardianRelation.FATHERS_MOTHER: Sex.FEMALE,
    GuardianRelation.MOTHERS_FATHER: Sex.MALE,
    GuardianRelation.MOTHERS_MOTHER: Sex.FEMALE,
    GuardianRelation.ELDER_BROTHER: Sex.MALE,
    GuardianRelation.ELDER_SISTER: Sex.FEMALE,
}


def relationship_of(code: str) -> Relationship:
    """Our word for a one-digit code. Raises: KeyError for what is none."""
    if code == "9":
        return Relationship.OTHER
    return {known: word for word, known in ONE_DIGIT.items()}[code]
