from __future__ import annotations

import pytest
from official_side import official_account

from integrations.wechat import PushMode


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app", ""),
        ("appid", "wx VERYSECRET"),
        ("secret", "VERYSECRET VERYSECRET"),
        ("token", ""),
        ("token", "VE"),
        ("token", "VERYSECRET-VERYSECRET"),
        ("token", "VERYSECRET" * 4),
        ("encoding_aes_key", ""),
        ("encoding_aes_key", "VERYSECRET"),
        ("encoding_aes_key", "VERYSECRET" * 4 + "ab="),
        ("encoding_aes_key", "VERYSECRET" * 4 + "abcd"),
        ("encoding_aes_key", "VERYSECRET" * 4 + "ab号"),
        ("miniapp", ""),
        ("base_url", "/VERYSECRET"),
        ("open_url", "open.weixin.qq.com/VERYSECRET"),
        ("open_url", "https://open.weixin.qq.com?VERYSECRET"),
        ("original_id", "VERY SECRET"),
        ("push_mode", ""),
        ("push_mode", "VERYSECRET"),
    ],
)
def test_a_wrong_field_of_an_official_account_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        official_account(**{name: value})
    assert "VERY" not in str(caught.value)


@pytest.mark.parametrize("word", ["plain", "secure", "both"])
def test_a_mode_may_come_as_a_word(word: str) -> None:
    assert official_account(push_mode=word).push_mode == PushMode(word)


def test_nothing_but_sealed_pushes_is_taken_where_nobody_says_otherwise() -> None:
    account = official_account()
    least = {
        name: getattr(account, name) for name in ("app", "appid", "secret", "token", "encoding_aes_key", "miniapp")
    }
    assert type(account)(**least).push_mode is PushMode.SECURE


def test_no_secret_of_an_official_account_is_in_its_repr() -> None:
    account = official_account()
    for secret in (account.secret, account.token, account.encoding_aes_key):
        assert secret not in repr(account)
