'use strict';

// WeChat Pay's end of the wire, out of what wechatpay-axios-plugin gives: it proves what merchants sign, signs and seals.

const {Aes, Formatter, Rsa} = require('wechatpay-axios-plugin');
const {perform} = require('./task');

const fits = (key, text, signature) => Rsa.verify(text, signature, Rsa.from(key, Rsa.KEY_TYPE_PUBLIC));

async function provesRequest({key, method, target, timestamp, nonce, body, signature}) {
  return fits(key, Formatter.request(method, target, timestamp, nonce, body), signature);
}

/** As the phone does before it shows the pay sheet. */
async function provesSheet({key, sheet}) {
  const text = Formatter.joinedByLineFeed(sheet.appId, sheet.timeStamp, sheet.nonceStr, sheet.package);
  return fits(key, text, sheet.paySign);
}

async function signed({key, timestamp, nonce, body}) {
  return Rsa.sign(Formatter.response(timestamp, nonce, body), Rsa.from(key));
}

async function sealed({key, nonce, about, text}) {
  return Aes.AesGcm.encrypt(text, key, nonce, about);
}

perform({provesRequest, provesSheet, signed, sealed});
