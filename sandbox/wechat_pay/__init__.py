"""api.mch.weixin.qq.com, API v3 in public-key mode: JSAPI orders, refunds, notices (protocol section 4)."""
