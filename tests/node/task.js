'use strict';

// A task a line, {deed, ...what it needs} in JSON; a line back for each: {done} or {refused: {code, message}}.

const {createInterface} = require('node:readline');

exports.perform = async (deeds) => {
  for await (const line of createInterface({input: process.stdin})) {
    const {deed, ...given} = JSON.parse(line);
    let told;
    try {
      told = {done: (await deeds[deed](given)) ?? null};
    } catch (error) {
      told = {refused: {code: String(error.code ?? error.name), message: error.message}};
    }
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
};
