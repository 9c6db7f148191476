"""What a guardian is to a minor, and what shows it."""

from __future__ import annotations

from enum import StrEnum


class GuardianRelation(StrEnum):
    """What a guardian is to the child: the two-digit codes of GB/T 4761."""

    FATHER = "51"
    MOTHER = "52"
    STEP_OR_ADOPTIVE_FATHER = "57"
    STEP_OR_ADOPTIVE_MOTHER = "58"
    FATHERS_FATHER = "61"
    FATHERS_MOTHER = "62"
    MOTHERS_FATHER = "63"
    MOTHERS_MOTHER = "64"
    ELDER_BROTHER = "71"
    ELDER_SISTER = "75"


class GuardianEvidence(StrEnum):
    """What shows it. `declared` is the guardian's own word."""

    BIRTH_CERTIFICATE = "birth_certificate"
    HOUSEHOLD_REGISTER = "household_register"
    COURT_ORDER = "court_order"
    COMMITTEE_CONSENT = "committee_consent"
    DECLARED = "declared"
