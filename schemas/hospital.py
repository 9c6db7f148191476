"""Shapes of the directory: hospitals, departments, doctors, and the search over them."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields, pre_dump

from core.catalog.hospitals import HospitalDetail, Point
from core.catalog.search import LONGEST_QUESTION
from models.person import Sex
from schemas.base import Id, PageQuery, ReplySchema, Strict, Text, Word, page_schema
from schemas.fees_in_words import fee_terms, refund_terms
from schemas.rules_in_words import booking_notice, rules_of

_ADCODE = re.compile(r"[1-9][0-9](?:[0-9]{2}){0,2}", re.ASCII)
_DEGREES = r"-?[0-9]{1,3}(?:\.[0-9]{1,15})?"
_POINT = re.compile(f"{_DEGREES},{_DEGREES}", re.ASCII)


def _whole(pattern: re.Pattern[str]) -> str:
    """As JSON Schema has it, which searches where we match the whole."""
    return f"^(?:{pattern.pattern})$"


class Near(fields.Field[Point]):
    """A point as `lat,lng` in degrees: `32.058,118.783`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Point:
        if not isinstance(value, str) or not _POINT.fullmatch(value):
            raise ValidationError("bad_format")
        lat, lng = (float(part) for part in value.split(","))
        if abs(lat) > 90 or abs(lng) > 180:
            raise ValidationError("bad_format")
        return Point(lat, lng)


class Region(fields.String):
    """A region's code, with or without the zeros behind it: `32`, `320000`, `3201`, `320106`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs)
        if not isinstance(code, str) or not _ADCODE.fullmatch(code):
            raise ValidationError("bad_format")
        while code.endswith("00"):
            code = code[:-2]
        return code


class HospitalsQuery(PageQuery):
    q = Text(
        LONGEST_QUESTION, empty=True, load_default="", metadata={"description": "name, alias, pinyin or its initials"}
    )
    adcode = Region(
        load_default=None,
        metadata={"description": "province, city or district: `32`, `3201`, `320106`", "pattern": _whole(_ADCODE)},
    )
    near = Near(
        load_default=None,
        metadata={
            "type": "string",
            "description": "`lat,lng` in degrees: nearest first",
            "pattern": _whole(_POINT),
            "example": "39.912,116.416",
        },
    )


class DoctorsQuery(PageQuery):
    pass


class SearchQuery(Strict):
    q = Text(
        LONGEST_QUESTION,
        required=True,
        metadata={"description": "name, alias, pinyin or its initials", "example": "xiehe"},
    )


class WordsSchema(ReplySchema):
    zh = fields.String(metadata={"example": "提前7天放号，放号时间07:00。"})
    en = fields.String(metadata={"example": "Numbers are released 7 days ahead at 07:00 (Beijing time)."})


class HospitalNameSchema(ReplySchema):
    id = Id()
    name = fields.String(metadata={"example": "北京协和医院"})


class DepartmentNameSchema(ReplySchema):
    id = Id()
    name = fields.String(metadata={"example": "心血管内科"})


class ListedHospitalSchema(ReplySchema):
    id = Id(attribute="hospital.id")
    code = fields.String(attribute="hospital.code", metadata={"example": "BJ001"})
    name = fields.String(attribute="hospital.name", metadata={"example": "北京协和医院"})
    aliases = fields.List(fields.String(), metadata={"example": ["协和"]})
    grade = fields.String(attribute="hospital.grade", metadata={"example": "三级甲等"})
    kind = fields.String(attribute="hospital.kind", metadata={"example": "综合"})
    adcode = fields.String(
        attribute="hospital.adcode", metadata={"description": "code of the district", "example": "110101"}
    )
    address = fields.String(attribute="hospital.address", metadata={"example": "北京市东城区帅府园1号"})
    lat = fields.Float(attribute="hospital.lat", allow_none=True)
    lng = fields.Float(attribute="hospital.lng", allow_none=True)
    synthetic = fields.Boolean(attribute="hospital.synthetic", metadata={"description": "invented for a sample"})
    distance_m = fields.Integer(allow_none=True, metadata={"description": "null unless `near` was asked"})


HospitalsPageSchema = page_schema(ListedHospitalSchema)


class CampusSchema(ReplySchema):
    id = Id()
    name = fields.String(metadata={"example": "东单院区"})
    address = fields.String(metadata={"example": "北京市东城区帅府园1号"})
    lat = fields.Float(allow_none=True)
    lng = fields.Float(allow_none=True)


class RuleSchema(ReplySchema):
    key = fields.String(metadata={"description": "a stable word for the rule", "example": "release"})
    value = fields.Dict(
        keys=fields.String(),
        metadata={
            "description": "the policy keys behind it",
            "example": {"release_days_before": 7, "release_time": "07:00"},
        },
    )
    words = fields.Nested(WordsSchema)


class FeeTermsSchema(ReplySchema):
    currency = fields.String(metadata={"example": "CNY"})
    lowest_fee_fen = fields.Integer(allow_none=True, metadata={"description": "over all weekly clinics"})
    highest_fee_fen = fields.Integer(allow_none=True)
    pay_modes = fields.List(fields.String(), metadata={"example": ["online"]})
    hold_minutes = fields.Integer(metadata={"example": 15})
    words = fields.Nested(WordsSchema)


class RefundTermsSchema(ReplySchema):
    cancel_days_before = fields.Integer()
    cancel_time = fields.String(metadata={"description": "HH:MM at the hospital", "example": "00:00"})
    words = fields.Nested(WordsSchema)


class HospitalSchema(ReplySchema):
    id = Id()
    code = fields.String(metadata={"example": "BJ001"})
    name = fields.String(metadata={"example": "北京协和医院"})
    aliases = fields.List(fields.String(), metadata={"example": ["协和"]})
    grade = fields.String(metadata={"example": "三级甲等"})
    kind = fields.String(metadata={"example": "综合"})
    adcode = fields.String(metadata={"example": "110101"})
    address = fields.String(metadata={"example": "北京市东城区帅府园1号"})
    lat = fields.Float(allow_none=True)
    lng = fields.Float(allow_none=True)
    synthetic = fields.Boolean()
    campuses = fields.List(fields.Nested(CampusSchema))
    booking_notice = fields.Nested(WordsSchema)
    notice_version = fields.String(
        allow_none=True,
        metadata={
            "description": "of `booking_notice`: named in a booking, it says that this was read",
            "example": "3f9a1c0b7e5d2a48",
        },
    )
    rules = fields.List(fields.Nested(RuleSchema))
    fee_terms = fields.Nested(FeeTermsSchema)
    refund_terms = fields.Nested(RefundTermsSchema)

    @pre_dump
    def _spell_out(self, detail: HospitalDetail, **_: Any) -> dict[str, Any]:
        hospital, policy = detail.hospital, detail.policy
        plain = ("id", "code", "name", "grade", "kind", "adcode", "address", "lat", "lng", "synthetic")
        return {name: getattr(hospital, name) for name in plain} | {
            "aliases": detail.aliases,
            "campuses": detail.campuses,
            "booking_notice": booking_notice(policy, hospital.booking_notice),
            "notice_version": hospital.notice_version,
            "rules": rules_of(policy),
            "fee_terms": {
                "currency": "CNY",
                "lowest_fee_fen": detail.lowest_fee_fen,
                "highest_fee_fen": detail.highest_fee_fen,
                "pay_modes": policy.pay_modes,
                "hold_minutes": policy.hold_minutes,
                "words": fee_terms(policy),
            },
            "refund_terms": {
                "cancel_days_before": policy.cancel_days_before,
                "cancel_time": policy.cancel_time,
                "words": refund_terms(policy),
            },
        }


class DepartmentNodeSchema(ReplySchema):
    """`children` is empty on the second level. Ages are full years, both ends included; null is no bound."""

    id = Id(attribute="department.id")
    code = fields.String(attribute="department.code", metadata={"example": "BJ001-D041"})
    name = fields.String(attribute="department.name", metadata={"example": "心血管内科"})
    aliases = fields.List(fields.String(), metadata={"example": ["心内科"]})
    subject_code = fields.String(attribute="department.subject_code", allow_none=True)
    sex = Word(Sex, attribute="department.sex", allow_none=True, metadata={"description": "null: for everybody"})
    min_age = fields.Integer(attribute="department.min_age", allow_none=True)
    max_age = fields.Integer(attribute="department.max_age", allow_none=True)
    online = fields.Boolean(attribute="department.online", metadata={"description": "has numbers online"})
    synthetic = fields.Boolean(attribute="department.synthetic")
    children = fields.List(fields.Nested("DepartmentNodeSchema"), metadata={"example": []})


DepartmentsPageSchema = page_schema(DepartmentNodeSchema)


class DoctorSchema(ReplySchema):
    id = Id(attribute="doctor.id")
    name = fields.String(attribute="doctor.name", metadata={"example": "虚拟乙甲"})
    title = fields.String(attribute="doctor.title", metadata={"example": "主治医师"})
    sex = Word(Sex, attribute="doctor.sex", allow_none=True)
    introduction = fields.String(
        attribute="doctor.introduction", metadata={"example": "虚拟医生，仅供演示和测试，专业方向：心血管病学。"}
    )
    synthetic = fields.Boolean(attribute="doctor.synthetic")
    department = fields.Nested(DepartmentNameSchema)
    hospital = fields.Nested(HospitalNameSchema)


DoctorsPageSchema = page_schema(DoctorSchema)


class FoundDepartmentSchema(ReplySchema):
    id = Id(attribute="department.id")
    name = fields.String(attribute="department.name", metadata={"example": "心血管内科"})
    online = fields.Boolean(attribute="department.online")
    hospital = fields.Nested(HospitalNameSchema)


class FoundSchema(ReplySchema):
    """The best few of each kind."""

    hospitals = fields.List(fields.Nested(ListedHospitalSchema))
    departments = fields.List(fields.Nested(FoundDepartmentSchema))
    doctors = fields.List(fields.Nested(DoctorSchema))
