"""Shapes of appointments: what is asked for, and what a patient is shown."""

from __future__ import annotations

from marshmallow import fields, validate

from models.appointment import AppointmentStatus, PayerKind, PayMode
from models.charge import FeeKind, Leg
from models.hospital import Period
from models.payment import Channel, PaymentStatus, RefundReason, RefundStatus
from models.person import Relationship
from schemas.base import Count, Day, Instant, ReplySchema, Strict, Whole


class BookAppointmentSchema(Strict):
    schedule_id = fields.UUID(required=True)
    dependent_id = fields.UUID(required=True)
    segment_starts_at = Instant()
    pay = fields.Enum(PayMode, by_value=True, required=True)
    payer_kind = fields.Enum(PayerKind, by_value=True, load_default=PayerKind.SELF_PAY)
    expected_fee_fen = Whole(validate=validate.Range(min=0, max=10_000_000))
    complaint = fields.String(validate=validate.Length(max=500))


class ListAppointmentsQuery(Strict):
    status = fields.Enum(AppointmentStatus, by_value=True)
    dependent_id = fields.UUID()
    cursor = fields.String(validate=validate.Length(max=200))
    limit = Count(validate=validate.Range(min=1, max=100), load_default=20)


class CancelAppointmentSchema(Strict):
    reason = fields.String(validate=validate.Length(max=200))


class NamedReply(ReplySchema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class DoctorReply(NamedReply):
    title = fields.String(required=True)


class AppointmentDependentReply(ReplySchema):
    id = fields.UUID(required=True)
    name_masked = fields.String(required=True)
    relationship = fields.Enum(Relationship, by_value=True, attribute="relationship_", required=True)


class AppointmentSlotReply(ReplySchema):
    sequence = fields.Integer(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)


class ChargeLineReply(ReplySchema):
    kind = fields.Enum(FeeKind, by_value=True, required=True)
    leg = fields.Enum(Leg, by_value=True, required=True)
    amount_fen = fields.Integer(required=True)
    legal_basis = fields.String(required=True)
    voided_at = Instant(allow_none=True, required=True)


class ChargeReply(ReplySchema):
    due_fen = fields.Integer(required=True)
    paid_fen = fields.Integer(required=True)
    lines = fields.List(fields.Nested(ChargeLineReply), attribute="lines", required=True)


class PaymentReply(ReplySchema):
    id = fields.UUID(required=True)
    channel = fields.Enum(Channel, by_value=True, required=True)
    status = fields.Enum(PaymentStatus, by_value=True, required=True)
    amount_fen = fields.Integer(required=True)
    out_trade_no = fields.String(required=True)
    expires_at = Instant(required=True)
    paid_at = Instant(allow_none=True, required=True)
    funding = fields.String(allow_none=True, required=True)


class OpenedPaymentReply(PaymentReply):
    client_params = fields.Dict(keys=fields.String(), required=True)


class OpenPaymentSchema(Strict):
    channel = fields.Enum(Channel, by_value=True, required=True)


class RefundReply(ReplySchema):
    id = fields.UUID(required=True)
    status = fields.Enum(RefundStatus, by_value=True, required=True)
    amount_fen = fields.Integer(required=True)
    reason = fields.Enum(RefundReason, by_value=True, required=True)
    succeeded_at = Instant(allow_none=True, required=True)


class AppointmentReply(ReplySchema):
    """Dumps a core.booking.views.AppointmentView."""

    id = fields.UUID(attribute="appointment.id", required=True)
    number = fields.String(attribute="appointment.number", required=True)
    status = fields.Enum(AppointmentStatus, by_value=True, attribute="appointment.status", required=True)
    awaiting = fields.List(fields.String(), attribute="appointment.awaiting", required=True)
    pay = fields.Enum(PayMode, by_value=True, attribute="appointment.pay_mode", required=True)
    fee_fen = fields.Integer(attribute="appointment.fee_fen", required=True)
    hold_expires_at = Instant(attribute="appointment.hold_expires_at", allow_none=True, required=True)
    cancel_before = Instant(attribute="appointment.cancel_before", required=True)
    cancel_reason = fields.String(attribute="appointment.cancel_reason", allow_none=True, required=True)
    created_at = Instant(attribute="appointment.created_at", required=True)
    schedule_id = fields.UUID(attribute="schedule.id", required=True)
    visit_date = Day(attribute="appointment.visit_date", required=True)
    period = fields.Enum(Period, by_value=True, required=True)
    clinic_type = fields.String(attribute="schedule.clinic_type", required=True)
    hospital = fields.Nested(NamedReply, required=True)
    department = fields.Nested(NamedReply, required=True)
    doctor = fields.Nested(DoctorReply, allow_none=True, required=True)
    slot = fields.Nested(AppointmentSlotReply, required=True)
    dependent = fields.Nested(AppointmentDependentReply, required=True)
    charge = fields.Nested(ChargeReply, attribute="money", required=True)
    payment = fields.Nested(PaymentReply, allow_none=True, required=True)
    refund = fields.Nested(RefundReply, allow_none=True, required=True)


class AppointmentPageReply(ReplySchema):
    items = fields.List(fields.Nested(AppointmentReply), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class VisitPassReply(ReplySchema):
    code = fields.String(required=True)
    qr_svg = fields.String(required=True)
    expires_at = Instant(required=True)


class EligibilityQuery(Strict):
    dependent_id = fields.UUID(required=True)


class ReasonReply(ReplySchema):
    code = fields.String(required=True)
    title = fields.String(required=True)
    until = Instant(allow_none=True, required=True)
    facts = fields.Dict(keys=fields.String(), required=True)
    alternatives = fields.List(fields.String(), required=True)


class EligibilityReply(ReplySchema):
    allowed = fields.Boolean(required=True)
    reasons = fields.List(fields.Nested(ReasonReply), required=True)
