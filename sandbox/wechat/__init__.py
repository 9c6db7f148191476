"""api.weixin.qq.com: mini-program login, access tokens, face verification 2.0 (protocol sections 0, 1.1 and 2.1)."""
