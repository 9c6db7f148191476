"""What a code means, in Chinese and in English."""

from collections.abc import Mapping

SAYINGS: Mapping[str, tuple[str, str]] = {
    "forbidden": ("只接受本机页面发来的请求", "only pages of this machine may ask"),
    "token_needed": ("请以 SANDBOX_TOKEN 为密码登录", "log in with SANDBOX_TOKEN as the password"),
    "too_long": ("输入太长", "that is too long"),
    "not_found": ("没有这个页面", "there is no such page"),
    "method_not_allowed": ("不支持的请求方式", "not in this way"),
    "internal_error": ("沙箱内部错误", "the sandbox has failed"),
    "app_not_found": ("没有这个应用", "there is no such app"),
    "person_not_found": ("没有这个人", "there is no such person"),
    "wrong_name": ("名字须为 1 至 32 个字母、数字、- 或 _", "a name is 1 to 32 letters, digits, - or _"),
    "server_not_set": ("公众号还没有设置服务器地址", "the account has no server yet"),
    "server_check_failed": (
        "服务器没有原样返回 echostr，未保存",
        "the server did not give echostr back; nothing was saved",
    ),
    "not_following": ("请先关注公众号", "follow the account first"),
    "word_invalid": ("内容为空、太长或含有控制字符", "empty, too long, or with control characters"),
    "menu_changed": ("菜单已经改变，请再点一次", "the menu has changed, tap again"),
    "code_not_found": ("没有这个二维码，或已过期", "there is no such code, or it has run out"),
    "link_not_found": ("没有这个链接，或已过期", "there is no such link, or it has run out"),
    "params_unreadable": ("这不是 client_params", "these are no client_params"),
    "pay_params_invalid": ("支付参数不完整", "the parameters are not complete"),
    "pay_sign_invalid": ("支付签名错误", "paySign is wrong"),
    "prepay_unknown": ("没有这个预支付单", "there is no such prepay_id"),
    "prepay_expired": ("预支付单已过期", "the prepay_id has run out"),
    "referer_unknown": (
        "商家参数格式有误，请联系商家解决",
        "the page that led here is not of the domain registered for H5 payments, or says no Referer",
    ),
    "order_not_found": ("没有这个订单", "there is no such order"),
    "order_paid": ("订单已支付", "the order has been paid"),
    "order_closed": ("订单已关闭", "the order has been closed"),
    "order_expired": ("订单已过期", "the order has run out"),
    "verification_not_found": ("没有这次核身", "there is no such check"),
    "verification_expired": ("核身已过期", "the check has run out"),
    "verification_already_finished": ("核身已结束", "the check has ended"),
    "no_mainland_phone": ("不是中国内地手机号", "that is no mobile number of mainland China"),
    "outcome_unknown": ("没有这种结果", "there is no such outcome"),
    "10003": ("redirect_uri 域名与后台配置不一致", "the domain of redirect_uri is not the account's"),
    "10005": ("scope 参数错误或没有权限", "the scope is wrong or not granted"),
    "10010": ("参数错误", "the parameters are wrong"),
    "40013": ("appid 错误", "the appid is wrong"),
    "no_answer": ("服务器三次都没有应答", "the server did not answer three times"),
}


def saying(code: str) -> tuple[str, str]:
    """Chinese and English; a code without words speaks for itself."""
    return SAYINGS.get(code, (code, code))
