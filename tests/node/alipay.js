'use strict';

// Alipay's gateway through alipay-sdk, Alipay's own: it signs each call and checks the signature on each answer.

const {AlipaySdk} = require('alipay-sdk');
const {perform} = require('./task');

/** In key mode or, where the account has certificates, in certificate mode. */
function client({certificates: files, ...keys}) {
  const proof = files
    ? {
      appCertContent: files.app_cert,
      alipayPublicCertContent: files.alipay_cert,
      alipayRootCertContent: files.alipay_root_cert,
    }
    : {alipayPublicKey: keys.alipay_public_key};
  return new AlipaySdk({
    appId: keys.app_id,
    privateKey: keys.private_key,
    keyType: 'PKCS8',
    encryptKey: keys.aes_key,
    gateway: keys.gateway,
    timeout: 20000,
    camelcase: false,
    ...proof,
  });
}

async function call({keys, method, params, validateSign = true}) {
  return client(keys).exec(method, params, {validateSign});
}

async function logIn({keys, code}) {
  const params = {grantType: 'authorization_code', code};
  return client(keys).exec('alipay.system.oauth.token', params, {validateSign: true});
}

/** Checks an event's signature over its fields as they were delivered. */
async function readEvent({keys, body}) {
  const fields = Object.fromEntries(new URLSearchParams(body));
  if (!client(keys).checkNotifySignV2(fields)) {
    throw Object.assign(new Error('the event is not the platform\'s'), {code: 'BAD_SIGNATURE'});
  }
  return fields;
}

perform({call, logIn, readEvent});
