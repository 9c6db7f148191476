'use strict';

// WeChat Pay v3 through wechatpay-axios-plugin: the SDK signs each call and checks the signature on each answer.

const {X509Certificate} = require('node:crypto');
const {Aes, Formatter, Rsa, Wechatpay} = require('wechatpay-axios-plugin');
const {perform} = require('./task');

/** What the platform signs with, by its serial: a public key, certificates, or both during a switch-over. */
function platformKeys({public_key_id: id, public_key: key, platform_certificates: certificates = []}) {
  const serials = certificates.map((pem) => [new X509Certificate(pem).serialNumber, pem]);
  return Object.fromEntries(key ? [[id, key], ...serials] : serials);
}

function client(keys) {
  return new Wechatpay({
    baseURL: `${keys.base_url}/`,
    mchid: keys.mchid,
    serial: keys.serial_no,
    privateKey: keys.private_key,
    certs: platformKeys(keys),
    proxy: false,
    headers: keys.public_key_id ? {'Wechatpay-Serial': keys.public_key_id} : {},
  });
}

/** What wx.requestPayment needs to show the pay sheet. */
function paySheet({appid, private_key: privateKey}, prepayId) {
  const sheet = {
    timeStamp: `${Formatter.timestamp()}`,
    nonceStr: Formatter.nonce(),
    package: `prepay_id=${prepayId}`,
  };
  const text = Formatter.joinedByLineFeed(appid, sheet.timeStamp, sheet.nonceStr, sheet.package);
  return {...sheet, signType: 'RSA', paySign: Rsa.sign(text, Rsa.from(privateKey))};
}

async function place({keys, order}) {
  const {data} = await client(keys).v3.pay.transactions.jsapi.post(order);
  return paySheet(keys, data.prepay_id);
}

async function query({keys, number}) {
  const orders = client(keys).v3.pay.transactions.outTradeNo;
  return (await orders.$number$.get({number, params: {mchid: keys.mchid}})).data;
}

async function refund({keys, refund: wanted}) {
  return (await client(keys).v3.refund.domestic.refunds.post(wanted)).data;
}

async function queryRefund({keys, number}) {
  return (await client(keys).v3.refund.domestic.refunds.$number$.get({number})).data;
}

/** Checks an event's signature over its raw body, then opens it. */
async function openEvent({keys, headers, body}) {
  const signed = Formatter.response(headers['Wechatpay-Timestamp'], headers['Wechatpay-Nonce'], body);
  const key = platformKeys(keys)[headers['Wechatpay-Serial']];
  if (!key || !Rsa.verify(signed, headers['Wechatpay-Signature'], Rsa.from(key, Rsa.KEY_TYPE_PUBLIC))) {
    throw Object.assign(new Error('the event is not the platform\'s'), {code: 'BAD_SIGNATURE'});
  }
  const {event_type: kind, resource} = JSON.parse(body);
  const text = Aes.AesGcm.decrypt(resource.ciphertext, keys.apiv3_key, resource.nonce, resource.associated_data);
  return {kind, ...JSON.parse(text)};
}

perform({place, query, refund, queryRefund, openEvent});
