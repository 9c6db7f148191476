"""api.mch.weixin.qq.com, API v3: keys and certificates, JSAPI orders, refunds, notices (protocol section 4)."""
