"""Routes called by the platforms, one file per platform. Each file's blueprints are listed here."""

from miniapp_api.callbacks import alipay, page_login, wechat_official, wechat_pay
from miniapp_api.openapi import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    wechat_pay.blueprint,
    alipay.blueprint,
    alipay.pages,
    page_login.blueprint,
    wechat_official.blueprint,
)
