'use strict';

// Alipay's end of the wire, out of what alipay-sdk gives. It is made for merchants: what it signs for one is what a
// merchant's request must be, and what it checks for one is what the platform has to sign.

const path = require('node:path');
const {AlipaySdk} = require('alipay-sdk');
const {perform} = require('./task');

// How it signs a text and seals one is not among its exports.
const inside = path.join(path.dirname(require.resolve('alipay-sdk')), 'util.js');
const {aesEncryptText, signatureV3} = require(inside);

/** What it sets by itself, from its settings: of a request that is given these are left out. */
const OWN = ['app_id', 'method', 'charset', 'version', 'sign_type', 'app_cert_sn', 'alipay_root_cert_sn', 'sign'];

/** As long as a signature: the SDK finds the end of what is signed by counting from there. */
const NO_SIGNATURE = 'A'.repeat(344);

/** Hears which texts the SDK would check, and lets none pass, so that it names each that it knows. */
class Listening extends AlipaySdk {
  texts = [];

  rsaCheck(text) {
    this.texts.push(text);
    return false;
  }
}

function merchant({app_id: appId, private_key: privateKey, certificates: files, ...keys}, Kind = AlipaySdk) {
  const proof = files
    ? {
      appCertContent: files.app_cert,
      alipayPublicCertContent: files.alipay_cert,
      alipayRootCertContent: files.alipay_root_cert,
    }
    : {alipayPublicKey: keys.alipay_public_key};
  return new Kind({appId, privateKey, keyType: 'PKCS8', camelcase: false, ...proof});
}

/** The request that the SDK makes for the same purpose: all its fields, and which of them stand in the URL. */
async function remade({keys, fields}) {
  const client = merchant(keys);
  const given = Object.entries(fields).filter(([name]) => !OWN.includes(name));
  // It would write the content once more, with other escapes; under this name it takes the text as it is.
  const params = Object.fromEntries(given.map(([name, value]) => [name === 'biz_content' ? 'BizContent' : name, value]));
  const sent = client.sdkExecute(fields.method, params, {bizContentAutoSnakeCase: false});
  const made = Object.fromEntries(new URLSearchParams(sent));
  const {searchParams} = new URL(client.formatUrl('http://127.0.0.1', made).url);
  return {fields: made, inUrl: [...searchParams.keys()]};
}

/** An answer, signed over those bytes that the SDK will check. */
async function answer({keys, signing_key: signingKey, node, content}) {
  const client = merchant(keys);
  const name = client.config.alipayCertSn;
  const written = (sign) => `{"${node}":${content}${name ? `,"alipay_cert_sn":"${name}"` : ''},"sign":"${sign}"}`;
  return written(signatureV3(client.getSignStr(written(NO_SIGNATURE), node), signingKey));
}

/** Throws where it does not believe an answer. */
async function believes({keys, node, body}) {
  merchant(keys).checkResponseSign(body, node, JSON.parse(body).sign);
}

/** A form as it is posted, signed with its `sign_type` or without. */
async function form({keys, signing_key: signingKey, fields, withType}) {
  const listening = merchant(keys, Listening);
  listening.checkNotifySignV2({...fields, sign: 'none yet'});
  const [typed, untyped] = listening.texts;
  const signed = {...fields, sign: signatureV3(withType ? typed : untyped, signingKey)};
  return new URLSearchParams(signed).toString();
}

/** Whether it takes a text as the word of whoever holds the private half. */
async function proves({keys, text, sign}) {
  return merchant(keys).rsaCheck(text, sign, 'RSA2');
}

/** What my.getPhoneNumber hands to the client. */
async function sealed({signing_key: signingKey, aes_key: aesKey, text}) {
  const response = aesEncryptText(text, aesKey);
  return {response, sign: signatureV3(`"${response}"`, signingKey)};
}

perform({remade, answer, believes, form, proves, sealed});
