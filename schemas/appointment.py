"""Shapes of appointments: what is asked for, and what a patient is shown."""

from __future__ import annotations

from marshmallow import fields, validate

from core.dependents.documents import masked_number
from models.appointment import AppointmentStatus, PayerKind, PayMode
from models.charge import FeeKind, Leg
from models.hospital import Period
from models.hospital_card import HospitalCard
from models.payment import Channel, PaymentStatus
from models.person import Relationship
from schemas.base import CURSOR, Count, Day, Id, Instant, ReplySchema, Strict, Text, Whole
from schemas.beside import AppointmentSlotReply, DoctorReply, NamedReply, OfferReply
from schemas.day import ArrivalReply, FollowUpReply
from schemas.masked import Masked
from schemas.notice_version import NoticeVersion
from schemas.receipt import ReceiptReply
from schemas.refund import RefundReply


class BookAppointmentSchema(Strict):
    schedule_id = fields.UUID(required=True)
    dependent_id = fields.UUID(required=True)
    segment_starts_at = Instant(
        metadata={"description": "absent: the first free number", "example": "2026-11-25T02:00:00.000Z"}
    )
    pay = fields.Enum(PayMode, by_value=True, required=True)
    payer_kind = fields.Enum(PayerKind, by_value=True, load_default=PayerKind.SELF_PAY)
    expected_fee_fen = Whole(validate=validate.Range(min=0, max=10_000_000), metadata={"example": 1500})
    complaint = Text(
        500,
        empty=True,
        lines=True,
        metadata={
            "description": "optional; 供接诊医生提前了解病情: for the doctor to know beforehand. Needs the `health` "
            "consent of this dependent, and is erased when that is withdrawn"
        },
    )
    notice_version = NoticeVersion(
        metadata={"description": "optional; 已阅读的预约须知版本: the `notice_version` of the hospital that was read"}
    )
    visit_card_id = Id(
        metadata={
            "description": "optional; 到院就诊使用的就诊卡: the dependent's card of this hospital; "
            "not under a grant, which shows no cards: there the current one is taken where the hospital wants one"
        }
    )


class ListAppointmentsQuery(Strict):
    status = fields.Enum(AppointmentStatus, by_value=True)
    dependent_id = fields.UUID()
    cursor = fields.String(validate=validate.Length(max=200), metadata=CURSOR)
    limit = Count(validate=validate.Range(min=1, max=100), load_default=20)


class CancelAppointmentSchema(Strict):
    reason = fields.String(validate=validate.Length(max=200), metadata={"example": "时间冲突"})


class RescheduleAppointmentSchema(Strict):
    schedule_id = fields.UUID(required=True)
    segment_starts_at = Instant(
        metadata={
            "description": "absent: the first free number; needed for another time of the same schedule",
            "example": "2026-11-26T02:00:00.000Z",
        }
    )
    expected_fee_fen = Whole(validate=validate.Range(min=0, max=10_000_000), metadata={"example": 1500})


class HospitalReply(NamedReply):
    name = fields.String(required=True, metadata={"example": "北京协和医院"})


class AppointmentDependentReply(ReplySchema):
    id = fields.UUID(required=True)
    name_masked = fields.String(required=True, metadata={"example": "测**"})
    relationship = fields.Enum(
        Relationship,
        by_value=True,
        required=True,
        metadata={"description": "to the account; `other` for whoever sees it under a grant"},
    )


class VisitCardReply(ReplySchema):
    id = fields.UUID(required=True)
    number_masked = Masked(masked_number, HospitalCard.number, required=True, metadata={"example": "00******78"})


class ChargeLineReply(ReplySchema):
    appointment_id = fields.UUID(required=True)
    kind = fields.Enum(FeeKind, by_value=True, required=True)
    leg = fields.Enum(Leg, by_value=True, required=True)
    amount_fen = fields.Integer(required=True)
    legal_basis = fields.String(required=True, metadata={"example": "hospital price list"})
    voided_at = Instant(allow_none=True, required=True)


class ChargeReply(ReplySchema):
    due_fen = fields.Integer(required=True)
    paid_fen = fields.Integer(required=True, metadata={"example": 0})
    lines = fields.List(fields.Nested(ChargeLineReply), attribute="lines", required=True)


class PaymentReply(ReplySchema):
    id = fields.UUID(required=True)
    channel = fields.Enum(Channel, by_value=True, required=True)
    status = fields.Enum(PaymentStatus, by_value=True, required=True, metadata={"example": "pending"})
    amount_fen = fields.Integer(required=True)
    out_trade_no = fields.String(
        allow_none=True,
        required=True,
        metadata={
            "description": "null, as is `funding`, where the other side of a grant paid",
            "example": "P20261125K7QZ2M9TB4XW8HN3C",
        },
    )
    expires_at = Instant(required=True, metadata={"example": "2026-11-22T02:15:00.000Z"})
    paid_at = Instant(allow_none=True, required=True)
    funding = fields.String(allow_none=True, required=True)


class OpenedPaymentReply(PaymentReply):
    client_params = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={
            "description": "goes unchanged into wx.requestPayment, my.tradePay or the bridge of the official account; "
            "of `wechat_h5` it is `h5_url`, a place to go to within 5 minutes, outside of WeChat, where "
            "`&redirect_url=` may be added, and of `alipay_wap` it is `url`, good until `expires_at`: until then no "
            "other channel is opened (`link_open`, with `retry_at`), and in its last minute this one neither. A "
            "request that is repeated with its key is told the same place again, so ask with a new key for one that is "
            "still good",
            "example": {
                "timeStamp": "1795313280",
                "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
                "package": "prepay_id=wx201410272009395522657a690389285100",
                "signType": "RSA",
                "paySign": "oR9d8PuhnIc+YZ8cBHFCwfgpaK9gd7va",
            },
        },
    )


class OpenPaymentSchema(Strict):
    channel = fields.Enum(Channel, by_value=True, required=True)


class AppointmentReply(ReplySchema):
    """Dumps a core.booking.views.AppointmentView."""

    id = fields.UUID(attribute="appointment.id", required=True)
    number = fields.String(attribute="appointment.number", required=True, metadata={"example": "261122048213975"})
    status = fields.Enum(AppointmentStatus, by_value=True, attribute="appointment.status", required=True)
    awaiting = fields.List(
        fields.String(), attribute="appointment.awaiting", required=True, metadata={"example": ["payment"]}
    )
    pay = fields.Enum(PayMode, by_value=True, attribute="appointment.pay_mode", required=True)
    payer_kind = fields.Enum(
        PayerKind,
        by_value=True,
        attribute="appointment.payer_kind",
        required=True,
        metadata={"description": "what follows from it stands with the eligibility, in `payers`"},
    )
    fee_fen = fields.Integer(attribute="appointment.fee_fen", required=True)
    hold_expires_at = Instant(
        attribute="appointment.hold_expires_at",
        allow_none=True,
        required=True,
        metadata={"description": "until when the fee must be paid", "example": "2026-11-22T02:15:00.000Z"},
    )
    cancel_before = Instant(
        attribute="appointment.cancel_before", required=True, metadata={"example": "2026-11-24T16:00:00.000Z"}
    )
    notice_version = fields.String(
        attribute="appointment.notice_version",
        allow_none=True,
        required=True,
        metadata={"description": "of the booking notice that was read before", "example": "3f9a1c0b7e5d2a48"},
    )
    free_to_leave_until = Instant(
        attribute="appointment.free_to_leave_until",
        allow_none=True,
        required=True,
        metadata={
            "description": "the hospital has changed it: until then it may be cancelled, whatever `cancel_before` says",
            "example": None,
        },
    )
    cancel_reason = fields.String(attribute="appointment.cancel_reason", allow_none=True, required=True)
    created_at = Instant(
        attribute="appointment.created_at", required=True, metadata={"example": "2026-11-22T02:00:00.000Z"}
    )
    grant_id = fields.UUID(
        attribute="appointment.grant_id",
        allow_none=True,
        required=True,
        metadata={"description": "the grant under which another account booked it", "example": None},
    )
    replaces_id = fields.UUID(
        attribute="appointment.replaces_id",
        allow_none=True,
        required=True,
        metadata={
            "description": "the appointment that this one was taken in exchange for; while this one is not sure, "
            "because it awaits its payment or the hospital, that one is still kept",
            "example": None,
        },
    )
    bundle = fields.List(
        fields.UUID(),
        required=True,
        metadata={"description": "the appointments that were booked together with it and still stand", "example": []},
    )
    follow_up = fields.Nested(
        FollowUpReply,
        allow_none=True,
        required=True,
        metadata={
            "description": "续诊: the hospital lets the patient come once more on this registration, for nothing",
            "example": None,
        },
    )
    follow_up_of_id = fields.UUID(
        attribute="appointment.follow_up_of_id",
        allow_none=True,
        required=True,
        metadata={"description": "the earlier appointment on whose registration this one is", "example": None},
    )
    replaced_by_id = fields.UUID(
        allow_none=True,
        required=True,
        metadata={"description": "the appointment that took its place, or will once it is sure", "example": None},
    )
    schedule_id = fields.UUID(attribute="schedule.id", required=True)
    visit_date = Day(attribute="appointment.visit_date", required=True)
    period = fields.Enum(Period, by_value=True, required=True)
    clinic_type = fields.String(attribute="schedule.clinic_type", required=True, metadata={"example": "GENERAL"})
    hospital = fields.Nested(HospitalReply, required=True)
    department = fields.Nested(NamedReply, required=True)
    doctor = fields.Nested(DoctorReply, allow_none=True, required=True)
    slot = fields.Nested(AppointmentSlotReply, attribute="shown_slot", required=True)
    dependent = fields.Nested(AppointmentDependentReply, attribute="whom", required=True)
    charge = fields.Nested(ChargeReply, attribute="money", required=True)
    payment = fields.Nested(PaymentReply, allow_none=True, required=True, metadata={"example": None})
    refund = fields.Nested(
        RefundReply,
        allow_none=True,
        required=True,
        metadata={"description": "the newest one; `refunds` has all", "example": None},
    )
    refunds = fields.List(
        fields.Nested(RefundReply),
        attribute="whole_refund",
        required=True,
        metadata={
            "description": "all that goes back of this appointment and of those it was exchanged for, oldest first: "
            "what was paid in two payments goes back in two",
            "example": [],
        },
    )
    visit_card = fields.Nested(VisitCardReply, allow_none=True, required=True, metadata={"example": None})
    offers = fields.List(
        fields.Nested(OfferReply),
        required=True,
        metadata={"description": "numbers held until answered, where the clinic is suspended", "example": []},
    )


class AppointmentInFullReply(AppointmentReply):
    """One appointment that was asked for by its id."""

    arrival = fields.Nested(ArrivalReply, allow_none=True, required=True, metadata={"example": None})
    receipt = fields.Nested(ReceiptReply, allow_none=True, required=True, metadata={"example": None})
    complaint = fields.String(
        allow_none=True,
        required=True,
        metadata={"description": "in clear here, and nowhere else but in the account's export"},
    )


class AppointmentPageReply(ReplySchema):
    items = fields.List(fields.Nested(AppointmentReply), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class VisitPassReply(ReplySchema):
    code = fields.String(required=True, metadata={"example": "eyJzIjoiMDE5YWJmNGQifQ.aSUQgA.Yk3m0q"})
    qr_svg = fields.String(required=True, metadata={"example": '<svg xmlns="http://www.w3.org/2000/svg"/>'})
    expires_at = Instant(required=True, metadata={"example": "2026-11-25T02:05:00.000Z"})
