"""Operator commands of an official account: its menu, scene codes, and links into its mini-program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from factories import make_department, make_doctor, make_hospital
from fakes import FakeAdapters, ManualClock
from fakes_official import FakeMiniappLinks, FakeOfficialAccount

from core.conversation.answer import HELP_KEY, MINE, NEXT_KEY
from core.identity.page_login import HOME, read_target
from core.ports import ProviderRefused, ProviderUnavailable
from core.transactions import Transactions
from integrations.wechat.menu import wire_menu
from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.official_menu import MenuUnreadable, menu_place, read_menu_file
from miniapp_api.services import EXTENSION
from models.database import Database

BASE = "https://api.example.cn"
PLACE = menu_place(BASE, "clinic", miniapp_appid="wx2421b1c4370ec43b")
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "menu.yaml"
UNKNOWN = "0191d3a4-5b6c-7d8e-9fab-0123456789ab"
MENU = """
menu:
  - name: 预约挂号
    entries:
      - {name: 我的预约, url: /h5/}
      - {name: 小程序, miniapp: pages/index/index}
  - {name: 帮助, key: help}
"""


class Account(FakeOfficialAccount):
    """Judges a menu as WeChat's adapter does; `failure` is what every question meets."""

    puts = 0

    def menu(self) -> Sequence[Mapping[str, Any]] | None:
        if self.failure is not None:
            raise self.failure
        return super().menu()

    def wire_menu(self, document: object) -> Sequence[Mapping[str, Any]]:
        return wire_menu(document, PLACE)

    def set_menu(self, buttons: Sequence[Mapping[str, Any]]) -> None:
        self.puts += 1
        super().set_menu(buttons)

    def scene_code(self, scene: str, *, lasts: timedelta) -> Any:
        if self.failure is not None:
            raise self.failure
        return super().scene_code(scene, lasts=lasts)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def links() -> FakeMiniappLinks:
    return FakeMiniappLinks()


@pytest.fixture
def app(
    *,
    make_app: Callable[..., App],
    config: Config,
    clock: ManualClock,
    account: Account,
    links: FakeMiniappLinks,
) -> App:
    adapters = FakeAdapters(clock)
    adapters.officials = {account.app: account, "other": FakeOfficialAccount(app="other")}
    adapters.links = {(links.provider, links.app): links}
    return make_app(config, adapters=adapters)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "menu.yaml"
    path.write_text(MENU, encoding="utf-8")
    return path


def run(app: App, *args: object) -> Result:
    result = app.test_cli_runner().invoke(args=["official-account", *map(str, args)])
    assert "Traceback" not in result.output
    return result


# --- the menu --------------------------------------------------------------------------------------------------------


def test_a_menu_is_put_once_and_then_there_is_nothing_to_change(app: App, account: Account, file: Path) -> None:
    first = run(app, "menu", "apply", "--file", file)
    assert first.exit_code == 0, first.output
    assert [button["name"] for button in account.buttons or ()] == ["预约挂号", "帮助"]
    assert "applied: phones show it within five minutes" in first.output
    again = run(app, "menu", "apply", "--file", file)
    assert (again.exit_code, again.output) == (0, "nothing to change\n")
    assert account.puts == 1


def test_a_difference_is_shown_line_by_line_and_exits_1(app: App, account: Account, file: Path) -> None:
    assert run(app, "menu", "diff", "--file", file).exit_code == 1
    run(app, "menu", "apply", "--file", file)
    same = run(app, "menu", "diff", "--file", file)
    assert (same.exit_code, same.output) == (0, "no difference\n")
    file.write_text(MENU.replace("我的预约", "我的挂号").replace("key: help", "key: HELP"), encoding="utf-8")
    changed = run(app, "menu", "diff", "--file", file)
    assert changed.exit_code == 1
    entry = f'{{"type": "view", "url": "{BASE}/callbacks/wechat-official/clinic/oauth?to=%2Fh5%2F"}}'
    assert changed.output.splitlines() == [
        ' "预约挂号"',
        f'-  "我的预约" {entry}',
        f'+  "我的挂号" {entry}',
        '   "小程序" {"appid": "wx2421b1c4370ec43b", "pagepath": "pages/index/index", "type": "miniprogram", '
        f'"url": "{BASE}/callbacks/wechat-official/clinic/oauth?to=%2Fh5%2F"}}',
        '-"帮助" {"key": "help", "type": "click"}',
        '+"帮助" {"key": "HELP", "type": "click"}',
    ]
    assert account.puts == 1


def test_an_order_of_entries_is_a_difference(app: App, file: Path) -> None:
    run(app, "menu", "apply", "--file", file)
    head, button, last = MENU.partition("  - {name: 帮助, key: help}")
    file.write_text(head.replace("menu:\n", f"menu:\n{button}\n") + last, encoding="utf-8")
    assert run(app, "menu", "diff", "--file", file).exit_code == 1


def test_the_menu_that_is_there_is_shown(app: App, account: Account, file: Path) -> None:
    assert run(app, "menu", "show").output == "no menu\n"
    account.buttons = [{"name": "\x1b[2J停诊", "type": "click", "key": "K"}]
    assert run(app, "menu", "show").output == '"\\u001b[2J停诊" {"key": "K", "type": "click"}\n'


def test_another_account_is_named(app: App, account: Account, file: Path) -> None:
    account.buttons = [{"name": "a", "type": "click", "key": "K"}]
    assert run(app, "menu", "show", "--app", "other").output == "no menu\n"
    for command in (["menu", "show"], ["menu", "apply", "--file", file]):
        nobody = run(app, *command, "--app", "nobody")
        assert (nobody.exit_code, "is configured" in nobody.output) == (1, True)


def test_every_fault_of_a_menu_is_told_and_nothing_is_sent(app: App, account: Account, file: Path) -> None:
    file.write_text("menu:\n- {name: 预约挂号挂号, key: a}\n- {name: b, url: http://x.example/}\n", encoding="utf-8")
    for command in ("diff", "apply"):
        result = run(app, "menu", command, "--file", file)
        assert result.exit_code == 1
        assert "menu[0].name: is longer than 16 bytes" in result.output
        assert "menu[1].url: must be https://" in result.output
        assert f"2 faults in {file}, nothing was sent" in result.output
    assert account.puts == 0


def test_a_file_that_is_not_there_is_told(app: App, tmp_path: Path) -> None:
    result = run(app, "menu", "apply", "--file", tmp_path / "nowhere.yaml")
    assert (result.exit_code, "does not exist" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ProviderRefused("48001", "rid 1-2"), "the platform refused: 48001 rid 1-2"),
        (ProviderUnavailable("no answer"), "the platform does not answer (no answer): run the command again"),
    ],
)
def test_a_platform_that_refuses_or_is_silent_is_told(
    *, app: App, account: Account, file: Path, failure: Exception, told: str
) -> None:
    account.failure = failure
    for command in (["menu", "show"], ["menu", "diff", "--file", file], ["menu", "apply", "--file", file]):
        result = run(app, *command)
        assert (result.exit_code, told in result.output) == (1, True)


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_sample_menu_is_one_that_wechat_takes_and_the_account_answers() -> None:
    buttons = wire_menu(read_menu_file(SAMPLE), PLACE)
    assert [button["name"] for button in buttons] == ["预约挂号", "我的预约", "使用帮助"]
    entries = [entry for button in buttons for entry in button.get("sub_button", [button])]
    assert {entry["key"] for entry in entries if entry["type"] == "click"} == {NEXT_KEY, HELP_KEY}
    assert buttons[1]["url"] == PLACE.enter(MINE)


def test_every_value_is_the_text_that_stands_there(file: Path) -> None:
    file.write_text("a: on\nb: [010, ~, 2026-11-20, 1e3]\nc: !!python/object/apply:os.getcwd []\n'': \"\"\n")
    assert read_menu_file(file) == {"a": "on", "b": ["010", "~", "2026-11-20", "1e3"], "c": [], "": ""}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: &x [1]\nb: *x", "an alias of line 1"),
        (b"&x [*x]", "an alias of line 1"),
        (b"a: {b: 1, b: 2}", "a field stands there twice"),
        (b"? [a]\n: 1", "a field without a plain name"),
        (b"a: [", "is not YAML"),
        (b"a: 1\n---\nb: 2", "is not YAML"),
        (b"\x00", "is not YAML"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 30_000, "is nested too deep"),
        (b"a" * (64 * 1024 + 1), "is larger than 64 KiB"),
    ],
)
def test_a_file_that_could_be_read_in_two_ways_is_not_read(
    *, app: App, account: Account, file: Path, content: bytes, reason: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(MenuUnreadable, match=reason):
        read_menu_file(file)
    result = run(app, "menu", "apply", "--file", file)
    assert (result.exit_code, reason in result.output, account.puts) == (1, True, 0)


@pytest.mark.parametrize(
    "target",
    [HOME, "/h5/appointments/1", "/h5/?page=mine", "/h5", "/h5/../", "/h5//e.example", "/h5/#a", "/api/v1/time"],
)
def test_a_menu_enters_just_what_the_login_of_pages_would_go_on_to(target: str) -> None:
    address = PLACE.enter(target)
    assert (address is None) == (read_target(target) is None)
    assert address is None or address.startswith(f"{BASE}/callbacks/wechat-official/clinic/oauth?to=%2Fh5%2F")


# --- codes and links -------------------------------------------------------------------------------------------------


@pytest.fixture
def doctor(transactions: Transactions) -> UUID:
    return transactions.write(
        lambda session, _now: make_doctor(session, make_department(session, make_hospital(session))).id
    )


def test_a_scene_code_and_a_link_lead_to_a_doctor(app: App, doctor: UUID, links: FakeMiniappLinks) -> None:
    code = run(app, "scene-code", "doctor", doctor, "--days", "2")
    assert code.exit_code == 0, code.output
    assert json.loads(code.output) == {
        "scene": f"doctor:{doctor}",
        "url": f"https://qr.example/doctor:{doctor}",
        "ticket": f"ticket-of-doctor:{doctor}",
        "expires_in": 172_800,
    }
    link = run(app, "link", "doctor", doctor, "--days", "3")
    assert json.loads(link.output) == {
        "page": "pages/doctor/index",
        "id": str(doctor),
        "url": "https://wxaurl.example/1",
        "days": 3,
    }
    assert links.opened == [("pages/doctor/index", {"id": str(doctor)}, timedelta(days=3))]


@pytest.mark.parametrize("kind", ["doctor", "department", "appointment"])
def test_nothing_is_made_for_what_is_not_there(app: App, links: FakeMiniappLinks, kind: str) -> None:
    for command in ("scene-code", "link"):
        result = run(app, command, kind, UNKNOWN)
        assert (result.exit_code, result.output) == (1, f"no such {kind}\n")
    assert links.opened == []


@pytest.mark.parametrize(
    "args",
    [("hospital", UNKNOWN), ("doctor", "1"), ("doctor", UNKNOWN, "--days", "0"), ("doctor", UNKNOWN, "--days", "31")],
)
@pytest.mark.parametrize("command", ["scene-code", "link"])
def test_what_no_code_can_carry_is_refused_with_the_usage(app: App, command: str, args: tuple[str, ...]) -> None:
    assert run(app, command, *args).exit_code == 2


def test_a_refused_code_and_a_missing_mini_program_are_told(
    *, app: App, account: Account, links: FakeMiniappLinks, doctor: UUID
) -> None:
    account.failure = ProviderRefused("45009")
    assert "the platform refused: 45009" in run(app, "scene-code", "doctor", doctor).output
    links.failure = ProviderUnavailable("no answer")
    assert "the platform does not answer" in run(app, "link", "doctor", doctor).output
    missing = run(app, "link", "doctor", doctor, "--app", "other")
    assert (missing.exit_code, "is configured" in missing.output) == (1, True)


def test_a_database_that_is_away_is_told_of_a_code(app: App) -> None:
    transactions = app.extensions[EXTENSION].workbench.transactions
    transactions.database.close()
    transactions.database = Database("postgresql://nobody@127.0.0.1:1/none")
    result = run(app, "scene-code", "doctor", UNKNOWN)
    assert (result.exit_code, "busy or away (overloaded)" in result.output) == (1, True)
