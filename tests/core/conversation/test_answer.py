"""What followers are told: open numbers to everybody, an appointment to its owner alone, and never a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_department, make_doctor, make_hospital, make_identity, make_schedule
from fakes import FakeAdapters, ManualClock
from fakes_official import CLINIC, OFFICIAL
from harness import Patient, make_patient, make_workbench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.catalog.pinyin import NO_OVERRIDES, search_text
from core.clock import HOSPITAL_ZONE
from core.conversation.answer import LONGEST_ANSWER, Follower, answer_follower
from core.conversation.scenes import Scene, SceneKind, write_scene
from core.ports import Answer, Incoming, IncomingKind, PlatformUser
from core.transactions import Transactions
from models.account import Account, Provider
from models.appointment import PayMode
from models.base import new_id
from models.hospital import Department, Doctor, Hospital
from models.schedule import Schedule, Slot, SlotStatus
from models.sealing import Vault

OWNER, STRANGER = "follower-owner", "follower-stranger"
NAMES = ("测试甲", "13800000000", "330102199001019973")


@dataclass
class Chat:
    """One hospital with a booked patient who follows the account, and everybody else."""

    patient: Patient
    department: Department
    doctor: Doctor
    appointment_id: UUID

    def say(
        self, kind: IncomingKind, *, key: str = "", text: str = "", who: str = STRANGER, is_proven: bool = True
    ) -> Answer:
        incoming = Incoming(CLINIC, "dedup", kind, who, datetime.now(UTC), key=key, text=text, is_proven=is_proven)
        follower = Follower(
            PlatformUser(OFFICIAL, CLINIC, open_id=who), enter=lambda target: f"https://own.example{target}"
        )
        workbench = self.patient.workbench
        return workbench.transactions.read(
            lambda session, now: answer_follower(session, incoming, follower, vault=workbench.vault, now=now)
        )

    def text(self, text: str, **more: str) -> str:
        answer = self.say(IncomingKind.TEXT, text=text, **more)
        assert answer.link is None
        return answer.text

    def scan(self, kind: SceneKind, subject: UUID, **more: str) -> Answer:
        return self.say(IncomingKind.SCANNED, key=write_scene(Scene(kind, subject)), **more)


@pytest.fixture
def chat(transactions: Transactions, vault: Vault, clock: ManualClock) -> Chat:
    adapters = FakeAdapters(clock)
    patient = make_patient(make_workbench(transactions, vault, adapters), clock, adapters)

    def step(session: Session, now: datetime) -> tuple[Department, Doctor]:
        account = session.get_one(Account, patient.account_id)
        make_identity(session, vault, account, provider=Provider.WECHAT_OFFICIAL, app=CLINIC, subject=OWNER)
        department = session.get_one(Department, session.get_one(Schedule, patient.schedule_id).department_id)
        department.name = "心内科"
        department.search_text = search_text("心内科", ["心血管内科"], overrides=NO_OVERRIDES)
        doctor = make_doctor(
            session, department, name="虚拟王", search_text=search_text("虚拟王", overrides=NO_OVERRIDES, person=True)
        )
        make_schedule(session, department, doctor=doctor, numbers=7, fee_fen=1500, now=now)
        return department, doctor

    department, doctor = patient.write(step)
    return Chat(patient, department, doctor, patient.book(PayMode.ON_SITE))


# --- open numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["心内科", "心血管内科", "xinneike", "XNK", " 心内科！", "ｘｎｋ", "心内"])
def test_a_department_is_found_by_name_alias_pinyin_and_initials(chat: Chat, asked: str) -> None:
    said = chat.text(asked).splitlines()
    assert said[0] == "【心内科】测试医院"
    assert said[1:3] == ["11月25日 周三 上午 ¥50.00 余2", "11月25日 周三 上午 虚拟王 ¥15.00 余7"]
    assert said[3] == f"点此查看 See here: https://own.example/h5/departments/{chat.department.id}"


def test_departments_with_open_numbers_are_told_before_those_without(chat: Chat) -> None:
    def step(session: Session, _now: datetime) -> None:
        for nth in range(5):
            make_department(
                session, make_hospital(session, name=f"空医院{nth}"), name="心内科", search_text="|=心内科|"
            )

    chat.patient.write(step)
    told = [line for line in chat.text("心内科").splitlines() if line.startswith("【")]
    assert told[0] == "【心内科】测试医院"
    assert len(told) == 3


def test_a_doctor_is_found_where_no_department_is(chat: Chat) -> None:
    said = chat.text("虚拟王").splitlines()
    assert said[:2] == ["【虚拟王】测试医院 心内科", "11月25日 周三 上午 ¥15.00 余7"]
    assert said[2].endswith(f"/h5/doctors/{chat.doctor.id}")


def test_a_hospital_is_found_where_neither_is(chat: Chat) -> None:
    def step(session: Session, _now: datetime) -> None:
        hospital = session.get_one(Hospital, chat.department.hospital_id)
        hospital.search_text = search_text("测试医院", ["老门诊"], overrides=NO_OVERRIDES)
        make_hospital(session, name="空医院", search_text=search_text("空医院", ["老门诊"], overrides=NO_OVERRIDES))

    chat.patient.write(step)
    said = chat.text("老门诊").split("\n\n")
    assert [block.splitlines()[0] for block in said] == ["【测试医院】", "【空医院】"]
    assert said[0].splitlines()[1] == "心内科 11月25日 周三 上午 ¥50.00 余2"
    assert "暂时没有可约的号" in said[1]


def test_a_group_tells_of_the_departments_below_it(chat: Chat) -> None:
    def step(session: Session, _now: datetime) -> None:
        department = session.get_one(Department, chat.department.id)
        group = make_department(session, make_hospital(session), name="内科", search_text="|=内科|")
        department.parent_id = group.id

    chat.patient.write(step)
    assert "余7" in chat.text("内科")


@pytest.mark.parametrize("asked", ["", " ", "？？？", "a", "%", "_", "没有这样的科", "x" * 5000, "😀"])
def test_what_finds_nothing_is_told_how_to_ask(chat: Chat, asked: str) -> None:
    assert "发送科室、医生或医院的名字" in chat.text(asked)


def test_what_cannot_be_had_is_not_offered(chat: Chat) -> None:
    now = chat.patient.clock.now()
    never = [
        {"release_at": now + timedelta(seconds=1)},
        {"closes_at": now},
        {"visit_date": (now - timedelta(days=1)).date()},
        {"visit_date": (now + timedelta(days=40)).date()},
    ]

    def step(session: Session, _now: datetime) -> None:
        department = session.get_one(Department, chat.department.id)
        for one in (*session.query(Slot),):
            one.status = SlotStatus.SUSPENDED
        for facts in never:
            make_schedule(session, department, fee_fen=9900, now=now, **facts)  # type: ignore[arg-type]

    chat.patient.write(step)
    said = chat.text("心内科")
    assert "99.00" not in said
    assert "暂时没有可约的号" in said


@pytest.mark.parametrize("facts", [{"release_at": timedelta(hours=1)}, {"closes_at": timedelta(0)}])
def test_many_that_cannot_be_had_do_not_hide_one_that_can(chat: Chat, facts: dict[str, timedelta]) -> None:
    def step(session: Session, now: datetime) -> None:
        department = session.get_one(Department, chat.department.id)
        day = now.astimezone(HOSPITAL_ZONE).date() + timedelta(days=1)
        for _ in range(20):
            given: dict[str, Any] = {name: now + away for name, away in facts.items()}
            make_schedule(session, department, visit_date=day, now=now, **given)

    chat.patient.write(step)
    assert chat.text("心内科").splitlines()[1] == "11月25日 周三 上午 ¥50.00 余2"


def test_the_soonest_come_first_and_few_of_them(chat: Chat) -> None:
    def step(session: Session, now: datetime) -> None:
        department = session.get_one(Department, chat.department.id)
        for days in (1, 2, 4, 5, 6):
            day = now.astimezone(HOSPITAL_ZONE).date() + timedelta(days=days)
            make_schedule(session, department, visit_date=day, now=now)

    chat.patient.write(step)
    days = [line.split()[0] for line in chat.text("心内科").splitlines()[1:-1]]
    assert days == ["11月23日", "11月24日", "11月25日", "11月25日"]


def test_the_menu_tells_the_next_numbers_of_the_one_hospital(chat: Chat) -> None:
    said = chat.say(IncomingKind.TAPPED, key="NEXT").text
    assert said.splitlines()[1] == "心内科 11月25日 周三 上午 ¥50.00 余2"
    chat.patient.write(lambda session, _now: make_hospital(session))
    assert chat.say(IncomingKind.TAPPED, key="NEXT").text.startswith("请发送科室、医生或医院的名字")


def test_a_free_visit_costs_nothing(chat: Chat) -> None:
    chat.patient.write(lambda session, _now: setattr(session.get_one(Schedule, chat.patient.schedule_id), "fee_fen", 0))
    assert "11月25日 周三 上午 免费 余2" in chat.text("心内科")


# --- scenes ----------------------------------------------------------------------------------------------------------


def test_a_scanned_doctor_or_department_is_a_card_with_open_numbers(chat: Chat) -> None:
    doctor = chat.scan(SceneKind.DOCTOR, chat.doctor.id).link
    department = chat.scan(SceneKind.DEPARTMENT, chat.department.id).link
    assert doctor is not None
    assert department is not None
    assert (doctor.title, doctor.url) == ("虚拟王 主治医师", f"https://own.example/h5/doctors/{chat.doctor.id}")
    assert doctor.description.splitlines() == ["测试医院 心内科", "11月25日 周三 上午 ¥15.00 余7"]
    assert department.title == "心内科"
    assert department.description.splitlines()[0] == "测试医院"


def test_a_scene_that_came_with_the_follow_is_answered_as_a_scan(chat: Chat) -> None:
    key = write_scene(Scene(SceneKind.DOCTOR, chat.doctor.id))
    assert chat.say(IncomingKind.FOLLOWED, key=key) == chat.say(IncomingKind.SCANNED, key=key)


@pytest.mark.parametrize("kind", [SceneKind.DOCTOR, SceneKind.DEPARTMENT])
def test_a_scene_of_what_is_gone_is_told_to_be_old(chat: Chat, kind: SceneKind) -> None:
    answer = chat.scan(kind, new_id())
    assert answer.link is None
    assert answer.text.startswith("这个二维码已失效")


@pytest.mark.parametrize(
    "key", ["", "42", "doctor:", "doctor:x", "nobody:0190", "DOCTOR:019abf4d-c000-7000-8000-000000000001"]
)
def test_a_foreign_scene_is_left_to_whoever_made_it(chat: Chat, key: str) -> None:
    assert chat.say(IncomingKind.SCANNED, key=key) == Answer()
    assert chat.say(IncomingKind.FOLLOWED, key=key).text.startswith("欢迎关注")


# --- one's own -------------------------------------------------------------------------------------------------------


def test_an_appointments_scene_tells_its_owner_when_and_where(chat: Chat) -> None:
    link = chat.scan(SceneKind.APPOINTMENT, chat.appointment_id, who=OWNER).link
    assert link is not None
    assert link.description == "11月25日 周三 上午\n测试医院 心内科"
    assert link.url.endswith(f"/h5/?appointment={chat.appointment_id}")


def test_to_everybody_else_it_is_the_same_as_one_that_never_was(chat: Chat) -> None:
    def told(subject: UUID, who: str) -> str:
        return repr(chat.scan(SceneKind.APPOINTMENT, subject, who=who)).replace(str(subject), "ID")

    nobodys = new_id()
    assert told(chat.appointment_id, STRANGER) == told(nobodys, STRANGER) == told(nobodys, OWNER)
    assert "心内科" not in told(chat.appointment_id, STRANGER)


def test_mine_tells_the_owner_how_many_and_a_stranger_to_log_in(chat: Chat) -> None:
    mine = chat.say(IncomingKind.TAPPED, key="MINE", who=OWNER).link
    stranger = chat.say(IncomingKind.TAPPED, key="MINE").link
    assert mine is not None
    assert stranger is not None
    assert mine.description.splitlines()[0] == "1个待就诊预约，最近：11月25日 周三 上午"
    assert "心内科" not in mine.description
    assert stranger.description == "点开登录后查看。Open to log in and see."
    assert mine.url == stranger.url == "https://own.example/h5/?view=appointments"


def test_a_message_that_anybody_could_have_written_speaks_for_nobody(chat: Chat) -> None:
    """A plain push signs its stamp alone: who saw one could ask in the owner's name."""
    scene = write_scene(Scene(SceneKind.APPOINTMENT, chat.appointment_id))
    for kind, key in ((IncomingKind.TAPPED, "MINE"), (IncomingKind.SCANNED, scene)):
        forged = chat.say(kind, key=key, who=OWNER, is_proven=False)
        assert forged == chat.say(kind, key=key)
        assert forged != chat.say(kind, key=key, who=OWNER)


def test_the_same_id_at_another_account_or_kind_of_app_is_somebody_else(chat: Chat) -> None:
    """A-30: an id counts only with its provider and app."""
    workbench = chat.patient.workbench
    incoming = Incoming(CLINIC, "dedup", IncomingKind.TAPPED, OWNER, datetime.now(UTC), key="MINE")
    for provider, app in ((OFFICIAL, "other"), ("wechat_miniapp", CLINIC), ("alipay_miniapp", CLINIC)):
        follower = Follower(PlatformUser(provider, app, open_id=OWNER), enter=str)
        said = workbench.transactions.read(
            lambda session, now, f=follower: answer_follower(session, incoming, f, vault=workbench.vault, now=now)
        )
        assert said.link is not None
        assert "登录后查看" in said.link.description


def test_a_cancelled_or_past_appointment_is_not_upcoming(chat: Chat) -> None:
    chat.patient.clock.advance(timedelta(days=4))
    past = chat.say(IncomingKind.TAPPED, key="MINE", who=OWNER).link
    assert past is not None
    assert past.description.startswith("没有待就诊的预约")


def test_a_closed_account_is_nobodys(chat: Chat) -> None:
    def close(session: Session, now: datetime) -> None:
        session.get_one(Account, chat.patient.account_id).closed_at = now

    chat.patient.write(close)
    said = chat.say(IncomingKind.TAPPED, key="MINE", who=OWNER).link
    assert said is not None
    assert "登录后查看" in said.description


# --- the rest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["帮助", "help", "HELP!", "你好"])
def test_help_is_help(chat: Chat, asked: str) -> None:
    assert chat.text(asked).startswith("发送科室、医生或医院的名字")


def test_an_entry_of_an_older_menu_gets_help(chat: Chat) -> None:
    assert chat.say(IncomingKind.TAPPED, key="GONE").text.startswith("发送科室、医生或医院的名字")


@pytest.mark.parametrize("kind", [IncomingKind.UNFOLLOWED, IncomingKind.OPENED, IncomingKind.OTHER])
def test_where_nothing_was_asked_nothing_is_said(chat: Chat, kind: IncomingKind) -> None:
    assert chat.say(kind, key="NEXT", text="心内科") == Answer()


def test_many_that_fit_are_told_as_far_as_a_text_goes(chat: Chat) -> None:
    def step(session: Session, now: datetime) -> None:
        for number in range(5):
            name = f"心内科第{number}诊室" + "长" * 150
            department = make_department(session, make_hospital(session), name=name, search_text=f"|={name}|")
            for days in range(1, 5):
                day = now.astimezone(HOSPITAL_ZONE).date() + timedelta(days=days)
                make_schedule(session, department, visit_date=day, now=now)

    chat.patient.write(step)
    said = chat.text("心内科")
    assert len(said.encode()) <= LONGEST_ANSWER
    assert said.startswith("【心内科】")
    assert said.splitlines()[-1].startswith("点此查看")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@given(
    kind=st.sampled_from(IncomingKind),
    key=st.one_of(st.text(max_size=70), st.sampled_from(["NEXT", "MINE", "HELP"])),
    text=st.one_of(st.text(max_size=200), st.text(alphabet="心内科xnk 虚拟王|%_=+~^", max_size=20)),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_stranger_sends_the_answer_is_bounded_and_names_nobody(
    chat: Chat, kind: IncomingKind, key: str, text: str
) -> None:
    answer = chat.say(kind, key=key, text=text)
    said = answer.text + (repr(answer.link) if answer.link else "")
    assert len(said.encode()) <= LONGEST_ANSWER
    assert not [one for one in (*NAMES, STRANGER, str(chat.appointment_id)) if one in said]
