"""Dependents: what is typed of them, and what their account is shown, masked."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import fields

from core.dependents.documents import masked_number
from core.dependents.emails import masked_email
from core.dependents.views import DependentView
from models.guardian import GuardianEvidence, GuardianRelation
from models.identity_check import IdentityMethod
from models.person import IdentityStatus, IdType, Relationship, Sex
from schemas.agreement import AgreementSchema
from schemas.base import Day, Id, Instant, Strict, Text, Word
from schemas.hospital_card import HospitalCardSchema
from schemas.masked import Masked
from schemas.sparse import SparseReply

_CORRECTED = "409 `identity_frozen` once matched; counted by `change_limit`"
_NOT_WHILE_BOOKED = f"{_CORRECTED}; 409 `dependent_in_use` while a number stands or is waited for"
_RELATED = {"description": "to and from `self` as `id_number`; any other at any time"}
IDENTITY_FIELDS = ("name", "id_type", "id_number", "birth_date", "sex", "country", "id_expires_on", "relationship")


_GUARDIAN = "of a minor: a dependent of one's own who is 18 or older, oneself among them"
_RELATION = {"description": "what the guardian is to the child, GB/T 4761: 51 father, 52 mother, 57 and 58 step or "
             "adoptive, 61 to 64 grandparents, 71 elder brother, 75 elder sister"}  # fmt: skip
_EMAIL = "optional; 用于接收就诊通知和报告，不用于营销: where the hospital writes to, never for marketing"
_INSURANCE = (
    "optional; 用于在医院办理医保结算: for settling with the medical insurance at the hospital. The citizen number, or "
    "the letter and eight digits of the social-insurance card; the code that an app shows (医保码) is refused"
)
_ADDRESS = "optional; 部分医院预约时要求填写住址: some hospitals ask for it when booking"
_REGION = "optional; 住址所在地区: the area of the address, GB/T 2260"
_HISTORY = (
    "optional; 供接诊医生提前了解过敏史和既往史: for the doctor to know beforehand. Needs the `health` consent of this "
    "dependent, and is erased when that is withdrawn"
)
_TAKEN_AWAY = "null takes it away"

_SAID_OR_TYPED = "required where the number does not say it, and must agree with it where it does"


class AddDependentSchema(Strict):
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "resident_id": {
            "name": "测试甲",
            "id_type": "resident_id",
            "id_number": "330102199001019973",
            "phone": "13800000000",
            "relationship": "self",
        },
        "passport": {
            "name": "TEST ALPHA BRAVO",
            "id_type": "passport",
            "id_number": "AB1234567",
            "country": "USA",
            "id_expires_on": "2031-05-31",
            "birth_date": "1988-12-25",
            "sex": "female",
            "phone": "13800000000",
            "relationship": "spouse",
        },
        "guardian_bound": {
            "name": "测试乙之女",
            "id_type": "guardian_bound",
            "birth_date": "2026-11-20",
            "sex": "female",
            "phone": "13800000000",
            "relationship": "daughter",
        },
    }

    name = Text(200, required=True, metadata={"example": "测试甲"})
    id_type = Word(IdType, required=True)
    id_number = Text(
        64,
        empty=True,
        allow_none=True,
        metadata={
            "description": "as printed on the document; absent, null or empty for `guardian_bound`, which is for those "
            "under 6, and for three born at a time",
            "example": "330102199001019973",
        },
    )
    phone = Text(
        40,
        empty=True,
        required=True,
        metadata={"description": "the dependent's, or of whoever looks after them", "example": "13800000000"},
    )
    relationship = Word(Relationship, required=True)
    birth_date = Day(metadata={"description": _SAID_OR_TYPED})
    sex = Word(Sex, metadata={"description": _SAID_OR_TYPED})
    country = Text(
        12,
        metadata={"description": "that issued the document, ISO 3166 alpha-2 or alpha-3; required for `passport`"},
    )
    id_expires_on = Day(metadata={"description": "the last day the document is good for; required for `passport`"})
    address = Text(400, metadata={"description": _ADDRESS})
    region_code = Text(12, metadata={"description": _REGION})
    guardian_dependent_id = Id(metadata={"description": _GUARDIAN})
    email = Text(320, metadata={"description": _EMAIL})
    insurance_number = Text(100, metadata={"description": _INSURANCE})
    allergies_and_history = Text(
        2000,
        lines=True,
        metadata={
            "description": f"{_HISTORY}. That consent names the dependent, so here the answer is always 409 "
            "`consent_required`: add the dependent, agree, then say it with PATCH"
        },
    )


class ChangeDependentSchema(Strict):
    phone = Text(40, empty=True, metadata={"example": "13800000001"})
    address = Text(400, allow_none=True, metadata={"description": f"{_ADDRESS}; {_TAKEN_AWAY}", "example": None})
    region_code = Text(12, allow_none=True, metadata={"description": f"{_REGION}; {_TAKEN_AWAY}"})
    guardian_dependent_id = Id(allow_none=True, metadata={"description": f"{_GUARDIAN}; null takes it away"})
    email = Text(320, allow_none=True, metadata={"description": f"{_EMAIL}; {_TAKEN_AWAY}"})
    insurance_number = Text(100, allow_none=True, metadata={"description": f"{_INSURANCE}; {_TAKEN_AWAY}"})
    allergies_and_history = Text(
        2000, lines=True, allow_none=True, metadata={"description": f"{_HISTORY}; {_TAKEN_AWAY}"}
    )
    name = Text(200, metadata={"description": _CORRECTED, "example": "测试甲"})
    id_type = Word(IdType, metadata={"description": _NOT_WHILE_BOOKED})
    id_number = Text(64, metadata={"description": f"says birth and sex anew where it can; {_NOT_WHILE_BOOKED}"})
    birth_date = Day(metadata={"description": _NOT_WHILE_BOOKED})
    sex = Word(Sex, metadata={"description": _NOT_WHILE_BOOKED})
    country = Text(12, metadata={"description": _NOT_WHILE_BOOKED})
    id_expires_on = Day(metadata={"description": _NOT_WHILE_BOOKED})
    relationship = Word(Relationship, metadata=_RELATED)


class GiveDocumentSchema(Strict):
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "newborn": {"name": "测试丁", "id_type": "resident_id", "id_number": "330102202611209023"},
    }

    name = Text(200, metadata={"description": "the real one; required where it was 母名之子 or 母名之女"})
    id_type = Word(IdType, required=True, metadata={"description": "any but `guardian_bound`"})
    id_number = Text(64, required=True, metadata={"description": "birth date and sex in it must be the dependent's"})
    country = Text(12, metadata={"description": "ISO 3166 alpha-2 or alpha-3; required for `passport`"})
    id_expires_on = Day(metadata={"description": "the last day it is good for; required for `passport`"})


class NameGuardianSchema(Strict):
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "mother": {
            "guardian_dependent_id": "019abf4d-c000-7000-8000-000000000001",
            "relation": "52",
            "evidence": "birth_certificate",
            "evidence_number": "A123456789",
        },
    }

    guardian_dependent_id = Id(required=True, metadata={"description": _GUARDIAN})
    relation = Word(GuardianRelation, required=True, metadata=_RELATION)
    evidence = Word(GuardianEvidence, required=True, metadata={"description": "`declared`: one's own word"})
    evidence_number = Text(64, metadata={"description": "of the certificate, register or judgment; kept sealed"})


class GuardianshipSchema(SparseReply):
    relation = Word(GuardianRelation, attribute="guardian_relation", metadata=_RELATION)
    evidence = Word(GuardianEvidence, attribute="guardian_evidence")
    told_at = Instant(attribute="guardian_told_at")
    confirmed_at = Instant(
        attribute="guardian_confirmed_at",
        metadata={"optional": True, "description": "when an operator had seen the evidence"},
    )


class IdentitySchema(SparseReply):
    status = Word(IdentityStatus)
    level = fields.Integer(metadata={"description": "0 typed, 1 name and number matched, 2 the person was present"})
    methods = fields.List(Word(IdentityMethod), metadata={"description": "the checks that are open now"})
    checked_at = Instant(metadata={"optional": True})


class DependentSchema(SparseReply):
    """Dumps a core.dependents.views.DependentView."""

    id = fields.UUID(attribute="dependent.id")
    name_masked = fields.String(attribute="dependent.name_masked", metadata={"example": "测**"})
    id_type = Word(IdType, attribute="dependent.id_type")
    id_number_masked = Masked(
        masked_number,
        DependentView.number,
        metadata={"description": "empty for `guardian_bound`", "example": "330***********9973"},
    )
    country = fields.String(
        attribute="dependent.country",
        metadata={"optional": True, "description": "that issued the document, ISO 3166 alpha-3"},
    )
    id_expires_on = Day(attribute="dependent.id_expires_on", metadata={"optional": True})
    phone_masked = fields.String(attribute="dependent.phone_masked", metadata={"example": "138****0000"})
    sex = Word(Sex, attribute="dependent.sex")
    birth_date = Day(attribute="dependent.birth_date", metadata={"example": "1990-01-01"})
    age = fields.Integer(metadata={"description": "full years, today at the hospital", "example": 36})
    relationship = Word(Relationship, attribute="dependent.relationship_")
    guardian_dependent_id = fields.UUID(
        attribute="dependent.guardian_dependent_id", metadata={"optional": True, "description": "of a minor"}
    )
    guardianship = fields.Nested(
        GuardianshipSchema,
        metadata={"optional": True, "description": "what shows that the guardian is one"},
    )
    handed_over_at = Instant(
        attribute="dependent.handed_over_at",
        metadata={"optional": True, "description": "when they, of age by then, took it into an account of their own"},
    )
    complete_by = Day(
        metadata={
            "optional": True,
            "description": "of `guardian_bound`: the day until which a number is asked for, sixty days from birth; it "
            "may come later",
        },
    )
    is_default = fields.Boolean(attribute="dependent.is_default")
    identity = fields.Nested(IdentitySchema)
    agreement = fields.Nested(AgreementSchema)
    hospital_cards = fields.List(fields.Nested(HospitalCardSchema))
    has_address = fields.Boolean(
        attribute="dependent.has_address",
        metadata={"optional": True, "description": "true where one is kept; its words stand in the account's export"},
    )
    region_code = fields.String(attribute="dependent.region_code", metadata={"optional": True})
    email_masked = Masked(
        masked_email,
        lambda view, vault: view.dependent.email(vault),
        metadata={"optional": True, "example": "z***@example.com"},
    )
    insurance_number_masked = Masked(
        masked_number, lambda view, vault: view.dependent.insurance_number(vault), metadata={"optional": True}
    )


class DependentInFullSchema(DependentSchema):
    """One dependent that was asked for by its id."""

    allergies_and_history = fields.String(
        metadata={"optional": True, "description": "in clear here, and nowhere else but in the account's export"}
    )
