'use strict';

// One task a process: {deed, ...what it needs} as JSON on stdin; {done} or {refused: {code, message}} on stdout.

const {readFileSync} = require('node:fs');

exports.perform = async (deeds) => {
  const {deed, ...given} = JSON.parse(readFileSync(0, 'utf8'));
  let told;
  try {
    told = {done: (await deeds[deed](given)) ?? null};
  } catch (error) {
    told = {refused: {code: String(error.code ?? error.name), message: error.message}};
  }
  process.stdout.write(JSON.stringify(told));
};
