"""What followers are told, Chinese first and English second, and how a half day is put into one line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from core.catalog.timetable import ScheduleView
from models.hospital import Period

WELCOME = (
    "欢迎关注！在这里可以查号、挂号、看自己的预约。\nWelcome! Look for open numbers here, and see your appointments."
)
HELP = (
    "发送科室、医生或医院的名字（也可以用拼音），例如“心内科”，就能看到最近的号。\n"
    "发送“我的预约”查看预约。\n"
    "Send the name of a department, a doctor or a hospital (pinyin works too) to see the next open numbers."
)
NOTHING_FOUND = "没有找到这个科室、医生或医院。\nNo department, doctor or hospital of this name."
ASK_WHICH = "请发送科室、医生或医院的名字。\nPlease send the name of a department, a doctor or a hospital."
NOTHING_OPEN = "暂时没有可约的号 No open numbers now"
CODE_UNKNOWN = "这个二维码已失效。\nThis code is no longer valid."
SEE_HERE = "点此查看 See here"
NEXT_NUMBERS = "最近的号 Next open numbers"
MY_APPOINTMENTS = "我的预约 My appointments"
LOG_IN_TO_SEE = "点开登录后查看。Open to log in and see."
NO_UPCOMING = "没有待就诊的预约。No upcoming appointments."

_PERIODS: Mapping[Period, str] = {
    Period.MORNING: "上午",
    Period.AFTERNOON: "下午",
    Period.EVENING: "晚上",
    Period.ALL_DAY: "全天",
}
_WEEKDAYS = "一二三四五六日"


def day_words(day: date, period: Period) -> str:
    """11月25日 周三 上午"""
    return f"{day.month}月{day.day}日 周{_WEEKDAYS[day.weekday()]} {_PERIODS[period]}"


def fee_words(fee_fen: int) -> str:
    """¥15.00, or that it is free."""
    return f"¥{fee_fen // 100}.{fee_fen % 100:02d}" if fee_fen else "免费"


def half_day_line(view: ScheduleView, *, with_doctor: bool = True) -> str:
    """11月25日 周三 上午 王医生 ¥15.00 余3"""
    who = f" {view.doctor.name}" if with_doctor and view.doctor is not None else ""
    when = day_words(view.schedule.visit_date, view.schedule.period)
    return f"{when}{who} {fee_words(view.schedule.fee_fen)} 余{view.remaining}"


def upcoming_words(count: int, day: date, period: Period) -> str:
    """How many, and when the next one is; not where, since a chat is read over shoulders."""
    return f"{count}个待就诊预约，最近：{day_words(day, period)}\n{count} upcoming, the next on {day:%Y-%m-%d}"
