"""What every service of a cloud is spoken to with: Aliyun's and Tencent Cloud's ways of signing, and of naming faults.

Signed by hand (libraries.md: the SDKs weigh 34 and 3 MB for twenty lines).
"""
