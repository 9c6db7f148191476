"""Shapes of what can be booked: schedules of a department or a hospital's day, and the segments of one."""

from __future__ import annotations

from marshmallow import fields, validate

from models.hospital import Period
from models.schedule import ScheduleStatus
from schemas.base import Count, Day, Id, Instant, PageQuery, ReplySchema, Word, page_schema
from schemas.hospital import DepartmentNameSchema


class SchedulesQuery(PageQuery):
    """`from` and `to` are days at the hospital, both included, at most 31 apart; today and two weeks on by default."""

    first = Day(data_key="from", load_default=None)
    last = Day(data_key="to", load_default=None)
    doctor_id = Id(load_default=None)
    limit = Count(load_default=100, validate=validate.Range(min=1, max=100))


class HospitalDayQuery(PageQuery):
    date = Day(required=True)
    department_id = Id(load_default=None)
    limit = Count(load_default=100, validate=validate.Range(min=1, max=100))


class ScheduleDoctorSchema(ReplySchema):
    id = Id()
    name = fields.String(metadata={"example": "虚拟乙甲"})
    title = fields.String(metadata={"example": "主治医师"})


class ScheduleCampusSchema(ReplySchema):
    id = Id()
    name = fields.String(metadata={"example": "东单院区"})


class ScheduleSchema(ReplySchema):
    """`remaining` is 0 unless the status is `open`. For looking: booking decides anew."""

    id = Id(attribute="schedule.id")
    hospital_id = Id(attribute="schedule.hospital_id")
    department = fields.Nested(DepartmentNameSchema)
    doctor = fields.Nested(
        ScheduleDoctorSchema, allow_none=True, metadata={"description": "null where the clinic has no named doctor"}
    )
    campus = fields.Nested(ScheduleCampusSchema)
    visit_date = Day(attribute="schedule.visit_date")
    period = Word(Period, attribute="schedule.period")
    starts_at = Instant(attribute="schedule.starts_at", metadata={"example": "2026-11-25T00:00:00.000Z"})
    ends_at = Instant(attribute="schedule.ends_at", metadata={"example": "2026-11-25T03:30:00.000Z"})
    clinic_type = fields.String(attribute="schedule.clinic_type", metadata={"example": "GENERAL"})
    fee_fen = fields.Integer(attribute="schedule.fee_fen")
    status = Word(ScheduleStatus, metadata={"example": "open"})
    remaining = fields.Integer(metadata={"example": 7})
    release_at = Instant(attribute="schedule.release_at", metadata={"example": "2026-11-17T23:00:00.000Z"})
    closes_at = Instant(attribute="schedule.closes_at", metadata={"example": "2026-11-25T02:30:00.000Z"})
    cancel_before = Instant(attribute="schedule.cancel_before", metadata={"example": "2026-11-24T16:00:00.000Z"})


SchedulesPageSchema = page_schema(ScheduleSchema)


class SegmentSchema(ReplySchema):
    starts_at = Instant()
    ends_at = Instant(metadata={"example": "2026-11-25T02:30:00.000Z"})
    total = fields.Integer(metadata={"example": 2})
    remaining = fields.Integer()


SegmentsPageSchema = page_schema(SegmentSchema)


class ChannelShareSchema(ReplySchema):
    channel = fields.String(metadata={"example": "wechat_miniapp"})
    numbers = fields.Integer(metadata={"example": 41})
    share = fields.Integer(metadata={"description": "in percent of the numbers that are taken", "example": 68})


class RefusedSchema(ReplySchema):
    code = fields.String(metadata={"example": "person_limit"})
    times = fields.Integer(metadata={"example": 12})


class FairnessSchema(ReplySchema):
    """`sold_out_at` is the first moment after the release without a free number; null where there was none."""

    schedule_id = Id()
    numbers = fields.Integer(metadata={"example": 60})
    taken = fields.Integer(metadata={"example": 60})
    release_at = Instant()
    sold_out_at = Instant(allow_none=True)
    seconds_to_sold_out = fields.Integer(allow_none=True, metadata={"example": 37})
    channels = fields.List(fields.Nested(ChannelShareSchema))
    refused = fields.List(fields.Nested(RefusedSchema))
