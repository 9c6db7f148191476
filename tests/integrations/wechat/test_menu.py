"""A menu that people wrote becomes WeChat's buttons, or every fault of it is told at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from core.ports import InvalidMenu
from integrations.wechat.menu import MenuPlace, plain_buttons, wire_menu

ENTRY = "https://api.example.cn/callbacks/wechat-official/clinic/oauth?to="


def enter(target: str) -> str | None:
    return None if "." in target or not target.startswith("/h5/") else ENTRY + quote(target, safe="")


PLACE = MenuPlace("api.example.cn", enter, "wx2421b1c4370ec43b")
LEAF = {"name": "停诊", "key": "CLOSED"}


def faults(document: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidMenu) as caught:
        wire_menu(document, PLACE)
    return tuple(caught.value.faults)


def wired(*entries: Any, domains: Any = ()) -> list[dict[str, Any]]:
    return wire_menu({"domains": list(domains), "menu": list(entries)}, PLACE)


def test_each_kind_of_entry_becomes_its_button() -> None:
    miniprogram = {"type": "miniprogram", "appid": "wx2421b1c4370ec43b"}
    index, face = "pages/index/index?from=menu", "pages/face/index"
    help_page = "https://www.hospital.example/help"
    document = {
        "domains": ["www.hospital.example"],
        "menu": [
            {
                "name": "预约挂号",
                "entries": [
                    {"name": "按科室预约", "url": "/h5/"},
                    {"name": "我的预约", "url": "/h5/?page=mine&n=1"},
                    {"name": "打开小程序", "miniapp": index},
                    {"name": "刷脸核验", "miniapp": face, "url": help_page},
                ],
            },
            {"name": "医院官网", "url": "https://www.hospital.example/a?b=1#c"},
            LEAF,
        ],
    }
    assert wire_menu(document, PLACE) == [
        {
            "name": "预约挂号",
            "sub_button": [
                {"type": "view", "name": "按科室预约", "url": ENTRY + "%2Fh5%2F"},
                {"type": "view", "name": "我的预约", "url": ENTRY + "%2Fh5%2F%3Fpage%3Dmine%26n%3D1"},
                {**miniprogram, "name": "打开小程序", "url": ENTRY + "%2Fh5%2F", "pagepath": index},
                {**miniprogram, "name": "刷脸核验", "url": help_page, "pagepath": face},
            ],
        },
        {"type": "view", "name": "医院官网", "url": "https://www.hospital.example/a?b=1#c"},
        {"type": "click", "name": "停诊", "key": "CLOSED"},
    ]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (None, "the file: must be fields with values"),
        ([], "the file: must be fields with values"),
        ({"menu": [LEAF], "menus": []}, "the file: unknown field 'menus'"),
        ({}, "menu: must be a list of 1 to 3"),
        ({"menu": []}, "menu: must be a list of 1 to 3"),
        ({"menu": {"name": "a"}}, "menu: must be a list of 1 to 3"),
        ({"menu": [LEAF] * 4}, "menu: must be a list of 1 to 3"),
        ({"menu": ["a"]}, "menu[0]: must be fields with values"),
        ({"menu": [{"name": "a", "entries": []}]}, "menu[0].entries: must be a list of 1 to 5"),
        ({"menu": [{"name": "a", "entries": [LEAF] * 6}]}, "menu[0].entries: must be a list of 1 to 5"),
        ({"menu": [{"name": "a", "entries": "b"}]}, "menu[0].entries: must be a list of 1 to 5"),
        ({"menu": [{"name": "a", "entries": [LEAF], "key": "b"}]}, "menu[0]: unknown field 'key'"),
        (
            {"menu": [{"name": "a", "entries": [{"name": "b", "entries": [LEAF]}]}]},
            "menu[0].entries[0]: entries have no entries of their own",
        ),
        ({"menu": [{"name": "a"}]}, "menu[0]: must have one of: key, url, miniapp, entries"),
        ({"menu": [{"name": "a", "key": "b", "url": "/h5/"}]}, "menu[0]: must have one of: key, url, miniapp, entries"),
        ({"menu": [LEAF | {"type": "click"}]}, "menu[0]: unknown field 'type'"),
        ({"menu": [{"key": "a"}]}, "menu[0].name: must be a text of printable characters"),
        ({"menu": [LEAF | {"name": " "}]}, "menu[0].name: must be a text of printable characters"),
        ({"menu": [LEAF | {"name": "a\nb"}]}, "menu[0].name: must be a text of printable characters"),
        ({"menu": [LEAF | {"name": "a\u202eb"}]}, "menu[0].name: must be a text of printable characters"),
        ({"menu": [LEAF | {"name": 7}]}, "menu[0].name: must be a text of printable characters"),
        ({"menu": [LEAF | {"name": "号" * 6}]}, "menu[0].name: is longer than 16 bytes (a Chinese character has 3)"),
        (
            {"menu": [{"name": "a", "entries": [LEAF | {"name": "号" * 20 + "a"}]}]},
            "menu[0].entries[0].name: is longer than 60 bytes (a Chinese character has 3)",
        ),
        ({"menu": [LEAF | {"key": ""}]}, "menu[0].key: must be a text of printable characters"),
        ({"menu": [LEAF | {"key": "a" * 129}]}, "menu[0].key: is longer than 128 bytes (a Chinese character has 3)"),
        ({"menu": [{"name": "a", "url": "/h5/" + "a" * 960}]}, "menu[0].url: is longer than 1024 bytes"),
        (
            {"menu": [{"name": "a", "miniapp": "/pages/a"}]},
            "menu[0].miniapp: must be a page such as pages/index/index, without a leading slash",
        ),
        ({"domains": "a.example", "menu": [LEAF]}, "domains: must be a list of host names in small letters"),
        ({"domains": ["https://a.example"], "menu": [LEAF]}, "domains: must be a list of host names in small letters"),
        ({"domains": ["A.example"], "menu": [LEAF]}, "domains: must be a list of host names in small letters"),
        (
            {"menu": [{"name": "a", "url": "https://evil.example/"}]},
            "menu[0].url: leads to evil.example, which is neither our own host nor among `domains`",
        ),
        (
            {"domains": ["hospital.example"], "menu": [{"name": "a", "url": "https://www.hospital.example/"}]},
            "menu[0].url: leads to www.hospital.example, which is neither our own host nor among `domains`",
        ),
    ],
)  # fmt: skip
def test_a_menu_that_wechat_or_we_would_not_have_is_told_with_its_place(document: Any, fault: str) -> None:
    assert faults(document) == (fault,)


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        7,
        "http://api.example.cn/",
        "HTTPS://api.example.cn/ a",
        "https://",
        "https://user@api.example.cn/",
        "https://api.example.cn:8443/",
        "https://api.example.cn\\@evil.example/",
        "https://api.example.cn/号",
        "https://api.example.cn/\n",
        "https://[",
        "javascript:alert(1)",
        "//evil.example/",
        "/",
        "/h5",
        "/h5/../callbacks/",
        "/admin/",
        "h5/",
    ],
)
def test_no_link_leads_anywhere_else(url: Any) -> None:
    [fault] = faults({"menu": [{"name": "a", "url": url}]})
    assert fault.startswith("menu[0].url: ")


@pytest.mark.parametrize(
    "url", ["https://api.example.cn", "https://api.example.cn/x?y=1", "https://api.example.cn/%E5"]
)
def test_a_link_to_our_own_host_needs_no_listing(url: str) -> None:
    assert wired({"name": "a", "url": url})[0]["url"] == url


def test_three_foreign_domains_are_the_most() -> None:
    hosts = [f"h{i}.example" for i in range(4)]
    entries = [{"name": str(i), "url": f"https://{host}/"} for i, host in enumerate(hosts)]
    ours = {"name": "z", "url": "https://api.example.cn/"}
    assert len(wired({"name": "a", "entries": [*entries[:3], entries[0], ours]}, domains=hosts)) == 1
    found = faults({"domains": hosts, "menu": [{"name": "a", "entries": entries}]})
    assert found == ("menu: leads to more than 3 foreign domains",)


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "a" * 16, "key": "号" * 42 + "ab"},
        {"name": "号" * 5, "key": "a" * 128},
        {"name": "a", "entries": [{"name": "号" * 20, "key": "a"}] * 5},
        {"name": "a", "url": "/h5/" + "a" * (1024 - len(ENTRY) - len("%2Fh5%2F"))},
        {"name": "a", "miniapp": "pages/" + "a" * 250},
    ],
)
def test_what_is_just_long_enough_passes(entry: Any) -> None:
    assert len(wired(entry, entry, entry)) == 3


def test_every_fault_is_told_at_once() -> None:
    document = {
        "domains": ["*"],
        "colour": "red",
        "menu": [
            {"name": "", "key": "a" * 129},
            {"name": "a", "entries": [{"name": "b", "url": "http://a.example"}, {"name": "c", "entries": []}, 7]},
            {"name": "预约挂号预约", "miniapp": "/p", "url": "ftp://x"},
        ],
    }
    places = [fault.split(":")[0] for fault in faults(document)]
    assert places == [
        "the file",
        "domains",
        "menu[0].name",
        "menu[0].key",
        "menu[1].entries[0].url",
        "menu[1].entries[1]",
        "menu[1].entries[2]",
        "menu[2].name",
        "menu[2].miniapp",
        "menu[2].url",
    ]


def test_a_menu_read_back_is_the_menu_that_was_put() -> None:
    buttons = wired({"name": "a", "entries": [LEAF, LEAF]}, LEAF)
    told = [{"sub_button": [], **button} for button in buttons]
    told[0]["sub_button"] = [{**leaf, "sub_button": []} for leaf in buttons[0]["sub_button"]]
    assert told != buttons
    assert plain_buttons(told) == buttons
