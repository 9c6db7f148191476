"""The registry of api.md, "Codes": for each code its status and what the patient reads, in Chinese and in English.

Titles are short and plain; the second sentence says what helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    title: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """One code. `zh` and `en` are what is told, by language."""

    status: int
    zh: Words
    en: Words


def _p(status: int, zh: str, zh_detail: str, en: str, en_detail: str) -> Problem:
    return Problem(status, Words(zh, zh_detail), Words(en, en_detail))


PROBLEMS: Mapping[str, Problem] = {
    # --- the request itself
    "idempotency_key_required": _p(
        400, "请求缺少编号", "请更新小程序后再试。",
        "Idempotency-Key is missing", "Send 16 to 128 visible ASCII characters."),
    "malformed_json": _p(
        400, "请求内容无法识别", "请更新小程序后再试。",
        "The body cannot be read", "Send one JSON object in UTF-8, each key once."),
    "malformed_request": _p(
        400, "请求无法识别", "请更新小程序后再试。",
        "The request cannot be read", "Please check how it was sent."),
    "unauthenticated": _p(
        401, "请先登录", "登录已过期或尚未登录，请重新登录。",
        "Please log in", "You are not logged in, or the login has ended."),
    "login_failed": _p(
        401, "登录未成功", "请重新进入小程序再登录一次。",
        "The login did not work", "Please open the mini-program again and log in once more."),
    "not_found": _p(
        404, "没有找到", "内容不存在或已被移除。",
        "Not found", "It does not exist, or no longer."),
    "method_not_allowed": _p(
        405, "不支持此操作", "请更新小程序后再试。",
        "Method not allowed", "The Allow header lists what works here."),
    "request_timeout": _p(
        408, "网络太慢", "请检查网络后再试一次。",
        "The request took too long", "Please check the network and try again."),
    "payload_too_large": _p(
        413, "提交的内容太多", "请减少内容后再试。",
        "Too much was sent", "Please send less."),
    "uri_too_long": _p(
        414, "请求地址太长", "请更新小程序后再试。",
        "The address is too long", "Please send a shorter one."),
    "unsupported_media_type": _p(
        415, "请求格式不支持", "请更新小程序后再试。",
        "Unsupported media type", "Send application/json in UTF-8, not compressed."),
    "validation_failed": _p(
        422, "填写的内容有误", "请检查标出的内容后再提交。",
        "Something is not right yet", "Please check the fields that are named."),
    "idempotency_key_reused": _p(
        422, "请求编号重复", "请返回上一页重新提交。",
        "Idempotency-Key was used before", "It belongs to another request. Send a new key."),
    "rate_limited": _p(
        429, "操作太频繁", "请稍等片刻再试。",
        "Too many requests", "Please wait a moment and try again."),
    "header_fields_too_large": _p(
        431, "请求头太大", "请更新小程序后再试。",
        "The headers are too large", "Please send fewer or shorter headers."),
    # --- booking
    "request_in_progress": _p(
        409, "正在处理中", "上一次提交还在处理，请稍等片刻。",
        "Still being processed", "Your earlier request is under way. Please wait a moment."),
    "sold_out": _p(
        409, "号已约满", "可以看看其他时段、医生或日期。",
        "Fully booked", "Another time, doctor or day may still be free."),
    "numbers_in_flight": _p(
        409, "暂时没有余号", "有号正在支付中，可能会释放，请稍后再看。",
        "None free right now", "Some are being paid for and may come back. Please look again later."),
    "numbers_free": _p(
        409, "还有余号", "有号可约，请直接预约。",
        "There are numbers", "Please book one: nobody needs to wait."),
    "waitlist_closed": _p(
        409, "暂不能候补", "所选日期没有可候补的号，或费用高于您设的上限，或不在候补时间内。",
        "Nobody waits here now", "There is nothing to wait for on these days, at your price, or at this hour."),
    "waitlist_exists": _p(
        409, "已经在候补了", "该就诊人已在候补同一医生同一天的号，可在“我的候补”中查看。",
        "Waiting already", "This dependent waits for the same doctor and day. See your waitlist."),
    "waitlist_limit": _p(
        409, "候补数已达上限", "该就诊人可同时候补的数目已满；有候补结束后可再试。",
        "The waitlist limit is reached", "This dependent can wait for no more now. Try again once one has ended."),
    "not_released": _p(
        409, "还没到放号时间", "放号后即可预约。",
        "Not released yet", "It can be booked once numbers are released."),
    "schedule_closed": _p(
        409, "本时段已停止预约", "可以看看其他时段或日期。",
        "Booking has closed", "Another time or day may still be open."),
    "schedule_suspended": _p(
        409, "医生已停诊", "可以看看其他医生或日期。",
        "The clinic is suspended", "Another doctor or day may be open."),
    "already_booked": _p(
        409, "已经预约过了", "该就诊人在此已有预约，可在“我的预约”中查看。",
        "Already booked", "This dependent has an appointment here. See your appointments."),
    "person_limit": _p(
        409, "已达到预约上限", "该就诊人暂时不能再约，请换个日期或联系医院。",
        "The limit is reached", "This dependent cannot book more here. Try another day or ask the hospital."),
    "period_limit": _p(
        409, "近期预约已达上限", "该就诊人在这段日子里的预约已满，请换个更晚的日期或联系医院。",
        "Enough visits for these days", "Please try a later day, or ask the hospital."),
    "overlaps": _p(
        409, "与另一个预约时间冲突", "该就诊人在同一时间已有预约，请换个时段或日期。",
        "At the same time as another visit", "This dependent is elsewhere then. Try another time or day."),
    "rebook_too_soon": _p(
        409, "刚刚退过这里的号", "请稍后再预约同一班次，或换个日期。",
        "A number here was just given back", "Please wait before booking it again, or try another day."),
    "closed_hours": _p(
        409, "现在不在放号服务时间", "请在开放时间再预约。",
        "Nothing is booked at this hour", "Please come back when booking opens again."),
    "restricted": _p(
        409, "暂时不能预约", "请查看原因和恢复时间；医院窗口和急诊不受影响。",
        "Booking is restricted", "Please see why, and until when. The hospital desk and the emergency room stay open."),
    "hold_open": _p(
        409, "有一个号还未支付", "请先支付或取消那个号。",
        "A number is waiting for payment", "Please pay for it or cancel it first."),
    "not_eligible": _p(
        409, "不符合该科室的就诊条件", "请核对就诊人的年龄、性别和初诊复诊，换一个科室，或到医院窗口咨询。",
        "Not eligible here", "Check age, sex and first or return visit. Try another department, or ask the desk."),
    "identity_required": _p(
        409, "需要先完成实名核验", "请先为就诊人完成核验，也可以到医院窗口办理。",
        "Identity check needed", "Please complete a check first. The hospital desk can do it too."),
    "notice_unread": _p(
        409, "请先阅读预约须知", "请阅读医院现行的预约须知后再提交。",
        "Please read the booking notice first", "Read the hospital's booking notice as it is now, then book."),
    "fields_required": _p(
        409, "就诊人信息不完整", "该医院要求补充就诊人信息，在就诊人所在的账号补充后即可预约，也可以到医院窗口办理。",
        "The hospital needs more details",
        "Please complete the dependent in the account it belongs to, then book. The hospital desk can do it too."),
    "consent_required": _p(
        409, "需要您的同意", "请先阅读并同意相关说明。",
        "Your consent is needed", "Please read the text and agree first."),
    "agreement_required": _p(
        409, "需要就诊人本人同意", "成年就诊人须本人同意由您预约，可用其本人手机验证码、人脸核验，或到医院窗口办理。",
        "The dependent must agree first",
        "A grown-up agrees in person: by a code to their own phone, by their face, or at the hospital desk."),
    "fee_changed": _p(
        409, "挂号费有变化", "请核对新的费用后再提交。",
        "The fee has changed", "Please look at the new fee and confirm."),
    "cancel_deadline_passed": _p(
        409, "已过退号时间", "如不能就诊，请联系医院。",
        "Too late to cancel online", "If you cannot come, please call the hospital."),
    "not_cancellable": _p(
        409, "这个预约不能取消", "请刷新后查看它的状态。",
        "It cannot be cancelled", "Please refresh and look at its state."),
    "not_reschedulable": _p(
        409, "这个预约不能改签到所选的号", "可能已改签过、正在改签，或所选的号不在可改签范围内；也可以取消后重新预约。",
        "It cannot be changed to that number",
        "It was changed already, is being changed, or that number is too far from it. You may cancel and book anew."),
    "no_follow_up": _p(
        409, "不能续诊",
        "续诊须由医院开通，限同院区、同科室、同级或较低级别医生，在有效期内使用一次；也可以到医院窗口咨询。",
        "No follow-up here",
        "It takes the hospital's word: once, on its days, in the same department, with no doctor of a higher rank."),
    "offer_ended": _p(
        409, "这个号已不再保留", "请刷新后查看预约；未接受其他号的，费用全额退回。",
        "This number is no longer held", "Please refresh. Where no other one was taken, all of the money goes back."),
    # --- the day
    "check_in_refused": _p(
        409, "现在不能签到", "请刷新后查看预约的状态，或到医院窗口办理。",
        "Not open for check-in", "Please refresh and look at the appointment, or go to the hospital desk."),
    "check_in_too_early": _p(
        409, "还没到签到时间", "到签到时间后再试。",
        "Too early to check in", "Please try again once check-in has opened."),
    "check_in_too_late": _p(
        409, "已过签到时间", "请到医院窗口办理。",
        "Too late to check in", "Please go to the hospital desk."),
    "check_in_at_desk": _p(
        409, "请到医院窗口签到", "该号须在医院窗口办理取号和签到。",
        "Please check in at the desk", "This number is taken up at the hospital desk."),
    "too_far": _p(
        409, "您不在医院附近", "到达医院后再签到，也可以到医院窗口办理。",
        "You are not near the hospital", "Please check in when you are there, or go to the desk."),
    "appointment_frozen": _p(
        409, "该预约已被冻结", "有人反映此号并非本人预约，请携带就诊人本人有效证件到医院窗口核实。",
        "The appointment is frozen",
        "It was reported that it is in another's name. Please bring the patient's own document to the desk."),
    "already_appealed": _p(
        409, "已经申诉过了", "每条记录只能申诉一次，可在记录中查看医院的答复。",
        "You have appealed already", "Each record can be appealed once. See there what the hospital answers."),
    "not_appealable": _p(
        409, "无需申诉", "这条记录已撤销，不再计入。",
        "There is nothing to appeal", "This record was taken back and counts no more."),
    # --- payment
    "hold_ending": _p(
        409, "支付时间快到了", "剩余时间不够支付，请重新预约。",
        "The hold is about to end", "Too little time is left to pay. Please book again."),
    "link_open": _p(
        409, "之前的支付链接还没有失效", "请在该链接中完成支付，或等它失效后再用其他方式支付。",
        "The earlier payment link is still good", "Please pay where it leads to, or wait until it ends."),
    "not_payable": _p(
        409, "现在不能支付", "请刷新后查看预约的状态。",
        "It cannot be paid now", "Please refresh and look at the appointment."),
    "already_paid": _p(
        409, "已经支付过了", "无需再次支付。",
        "Already paid", "There is nothing left to pay."),
    # --- dependents
    "dependent_limit": _p(
        409, "就诊人数量已满", "请先删除不再需要的就诊人。",
        "No more dependents", "Please remove one that is no longer needed."),
    "dependent_exists": _p(
        409, "就诊人已存在", "您已添加过这位就诊人；双胞胎请用不同的名字，如大宝、二宝。",
        "Already added", "This dependent is on your list. Twins without a number need names of their own."),
    "dependent_in_use": _p(
        409, "就诊人正在使用", "还有未结束的预约或候补，或是其他就诊人的监护人，请处理后再删除或更改证件。",
        "The dependent is in use",
        "An appointment or a place in a waitlist is open, or somebody has them as a guardian. Once that has ended they "
        "can be removed, or get another document. The name may be corrected."),
    "hospital_card_exists": _p(
        409, "就诊卡已添加", "该就诊人已有这张卡。",
        "Already added", "This dependent has the card already."),
    "hospital_card_limit": _p(
        409, "就诊卡数量已满", "请先删除不再使用的就诊卡。",
        "No more cards", "Please remove one that is no longer used."),
    "identity_frozen": _p(
        409, "已核验的信息不能修改", "如信息有误，请到医院窗口办理。",
        "Checked details cannot change", "If they are wrong, please ask the hospital desk."),
    "change_limit": _p(
        409, "修改太频繁",
        "手机号、姓名和证件半年内可修改一次，本人的姓名和证件只可更正一次，“本人”半年内可更换一次；一天内反复添加就诊人的次数也有限。",
        "Changed too lately", "A phone, and name or document, may be changed once in half a year; of oneself name and "
        "document once, and who is oneself once in half a year. Only so many dependents are added within a day."),
    "own_phone": _p(
        409, "不能用您自己的手机号确认",
        "请填写就诊人本人的手机号；您还没有添加本人或验证手机号的，请先完成其一。也可用人脸核验或到医院窗口办理。",
        "Your own phone does not agree for them",
        "Please give the dependent's own phone; with neither yourself added nor a phone proven, do one of these first. "
        "Their face or the hospital desk will do too."),
    "agreement_not_given": _p(
        409, "还没有本人同意", "请就诊人先完成一次人脸核验，也可用手机验证码或到医院窗口办理。",
        "Not agreed yet", "The dependent must pass a face check first. A code to their phone or the desk will do too."),
    "check_limit": _p(
        409, "今天的核验次数已用完", "请明天再试，或到医院窗口办理。",
        "No more checks today", "Please try tomorrow, or go to the hospital desk."),
    "account_in_use": _p(
        409, "账号暂时不能注销", "还有未结束的预约、未完成的付款或退款，或可撤销的账号合并，请等它们结束后再注销。",
        "The account cannot be closed yet",
        "An appointment is open, money is on its way, or a join may still be undone. Please try again afterwards."),
    "join_conflict": _p(
        409, "账号不能合并", "请联系客服处理。",
        "The accounts cannot be joined", "Please contact us."),
    "phone_refused": _p(
        409, "手机号未验证成功", "请重新授权手机号，或重新获取验证码后再试。",
        "The phone is not proven", "Please let your wallet confirm the phone once more, or ask for a new code."),
    "grant_refused": _p(
        409, "授权码无效", "授权码有误、已使用、已过期，或是您自己的授权码。请向对方重新获取。",
        "The code does not work", "It is wrong, was used, is too old, or is your own. Please ask for a new one."),
    "grant_limit": _p(
        409, "授权数量已满", "请先结束不再需要的授权。",
        "No more grants", "Please end one that is no longer needed."),
    "undo_too_late": _p(
        409, "已过撤销时间", "合并账号超过24小时后不能撤销，如有问题请联系客服。",
        "Too late to undo", "The accounts were joined more than 24 hours ago. Please contact us."),
    # --- ours
    "provider_unavailable": _p(
        503, "平台暂时没有回应", "没有丢失任何内容，请稍后再试。",
        "The platform does not answer", "Nothing is lost. Please try again in a while."),
    "overloaded": _p(
        503, "现在人太多了", "没有产生任何操作，请稍后再试。",
        "Too busy right now", "Nothing was done. Please try again in a moment."),
    "maintenance": _p(
        503, "系统维护中", "请稍后再来。",
        "Under maintenance", "Please come back later."),
    "outcome_unknown": _p(
        503, "结果还在确认", "请用同样的内容再提交一次，不会重复。",
        "The outcome is not known yet", "Ask again with the same Idempotency-Key. Nothing will be done twice."),
    "internal_error": _p(
        500, "我们出错了", "请稍后再试，联系客服时请提供请求编号。",
        "Something went wrong here", "Please try again later, and name the request id when you contact us."),
}  # fmt: skip

STATUS_CODES: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    429: "rate_limited",
    431: "header_fields_too_large",
    500: "internal_error",
    503: "overloaded",
}
"""What an HTTP error of the framework is called; any other 4xx is `malformed_request`."""
