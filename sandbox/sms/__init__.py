"""dysmsapi.aliyuncs.com and sms.tencentcloudapi.com under `/sms`: text messages, each call proven by its signature."""
