"""What the makers of the sample directory decided by hand: columns, notices, corrections, timetables, policies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

COLUMNS = {
    "hospitals": "code,name,alias,grade,kind,adcode,address,lat,lng,merchant,booking_notice,synthetic",
    "campuses": "hospital_code,code,name,address,lat,lng",
    "departments": "hospital_code,code,parent_code,name,alias,subject_code,sex,min_age,max_age,online,synthetic",
    "doctors": "hospital_code,code,department_code,name,title,sex,introduction,synthetic",
    "rosters": "hospital_code,department_code,doctor_code,campus_code,weekday,period,starts,ends,"
    "clinic_type,fee_fen,segment_minutes,numbers_per_segment,synthetic",
}
NOTICE = "预约与就诊均须实名，请携带就诊人本人有效证件到院；如需取消，请在就诊日00:00之前办理，逾期不能在线退号。"
DRUM_TOWER = "JS001"
DRUM_TOWER_NOTICE = "预约前须完成人脸核验，或到医院窗口当面核验。" + NOTICE

# The raw folder guesses subjects by keyword; these guesses were empty, or lost an age limit or the true subject.
SUBJECT_CORRECTIONS = {
    ("BJ001", "眼科糖尿病视网膜病专科"): "10",
    ("BJ001", "麻醉科疼痛门诊"): "27",
    ("BJ001", "国际医疗(美容外科)"): "14.01",
    ("ZJ013", "肝脾外科"): "04.01",
    ("ZJ013", "胆胰外科"): "04.01",
    ("ZJ013", "胃结肠外科"): "04.01",
    ("ZJ013", "直肠肛门外科"): "04.01",
    ("ZJ013", "综合外科"): "04.01",
    ("ZJ013", "颈部外科"): "04.01",
    ("ZJ013", "儿童感染科"): "07.02",
    ("ZJ013", "儿童变态反应（过敏）与免疫科"): "07.11",
    ("ZJ013", "儿童睡眠医学科"): "07.12",
    ("ZJ013", "儿童精神心理科"): "07.12",
    ("ZJ013", "输血科"): "30.01",
    ("JS001", "胰腺外科"): "04.01",
    ("JS001", "肝胆与肝移植外科"): "04.01",
    ("JS001", "健康管理中心"): "01",
}
WRONG_HOSPITAL_ALIASES = {("JS007", "江苏省妇幼保健院(南京)")}  # another hospital's name
UNGROUPED = "全部科室"
MENS_CLINIC = "男科"
NARROW_CLINICS = ("专科", "专病", "专项", "专业组")
ORGANS = frozenset("肝胆胰脾胃肠肛甲乳血脊手节")
GENERAL_CLINIC, GENERAL_SUBJECT = "普通门诊", "02"
KINDS_WITH_GENERAL_ALIASES = {"综合", "中医"}


@dataclass(frozen=True)
class Sitting:
    """One half day: when, and how many numbers each half hour has."""

    period: str
    starts: str
    ends: str
    numbers: int = 2


CLINIC_MORNING = Sitting("morning", "08:00", "11:30")
# Doctors of one subject come as 主治, 副主任, 主任; (day offset, sitting). Together they cover the seven days.
DOCTOR_WEEK = {
    "主治医师": ((0, Sitting("morning", "08:00", "11:00", 3)), (2, Sitting("afternoon", "13:30", "16:00", 3)),
             (4, Sitting("afternoon", "13:30", "16:00", 3))),
    "副主任医师": ((1, Sitting("morning", "08:00", "11:00")), (5, Sitting("afternoon", "13:30", "16:00"))),
    "主任医师": ((3, Sitting("morning", "08:30", "11:00")), (6, Sitting("afternoon", "13:30", "16:00"))),
}  # fmt: skip
WORKDAYS = range(1, 6)
WEEKEND = range(6, 8)
ORDINARY_CLINICS: dict[str, tuple[tuple[str, Iterable[int], Sitting], ...]] = {
    "BJ001": (("普通内科门诊", WORKDAYS, CLINIC_MORNING), ("普通内科门诊(西院)", WORKDAYS, CLINIC_MORNING)),
    "ZJ002": (("白内障专业组", WORKDAYS, CLINIC_MORNING),),
    "ZJ013": (("全科医学科", WORKDAYS, CLINIC_MORNING),),
    DRUM_TOWER: (
        ("全科医学科", WORKDAYS, Sitting("morning", "08:00", "11:30", 3)),
        ("全科医学科", WEEKEND, Sitting("all_day", "08:00", "16:00")),
        ("皮肤科", (3,), Sitting("evening", "17:30", "20:00")),
    ),
}
CLINIC_FEE_FEN = {"BJ": "5000"}
USUAL_CLINIC_FEE_FEN = "2500"

PLATFORM_POLICY: dict[str, object] = {
    "release_days_before": 14,
    "release_time": "07:00",
    "closes_minutes_before": 30,
    "hold_minutes": 15,
    "close_cap_minutes": 30,
    "cancel_days_before": 0,
    "cancel_time": "00:00",
    "max_open_per_person_schedule": 1,
    "max_open_per_person_department_day": 1,
    "max_per_person_day": 2,
    "max_open_holds_person": 1,
    "max_open_holds_account": 2,
    "min_identity_level": 1,
    "pay_modes": ["online", "on_site"],
    "required_fields": [],
}
POLICIES = [
    {"level": "platform", "code": "", "policy": PLATFORM_POLICY},
    {"level": "hospital", "code": DRUM_TOWER, "policy": {"min_identity_level": 2, "required_fields": ["address"]}},
]
