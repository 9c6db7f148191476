"""Whether a name and a number belong together: Aliyun's Id2MetaVerify and Tencent Cloud's IdCardVerification."""
