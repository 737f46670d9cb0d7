
"use strict";

// What is sent, and what comes back: nothing here knows the page.

const NUMBERS = ["width", "height", "steps", "guidance_scale"];

/** What the server answered instead of what was asked for, in its own words. */
class Refusal extends Error {
  constructor(status, error, retryAfterS = 2) {
    super(error.message);
    const { code, param, request_id: requestId } = error;
    Object.assign(this, { status, code, param, requestId, retryAfterS });
  }
}

/** Takes a stream of server-sent events piece by piece; gives those that are whole. */
function eventReader() {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop();
    const events = [];
    for (const block of blocks) {
      const event = {};
      for (const line of block.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
      }
      if (event.event) events.push(event);
    }
    return events;
  };
}

/** The JSON text of each field that differs from its default. Seeds are more than a number of
    JavaScript holds, so they stay digits. */
function fieldsOf(settings, defaults) {
  const { prompt, negative_prompt: negative, scheduler, seed } = settings;
  const fields = { prompt: JSON.stringify(prompt) };
  if (negative !== defaults.negative_prompt) fields.negative_prompt = JSON.stringify(negative);
  if (scheduler && scheduler !== defaults.scheduler) fields.scheduler = JSON.stringify(scheduler);
  for (const name of NUMBERS) {
    const number = Number(settings[name]);
    if (settings[name] !== "" && number !== defaults[name]) fields[name] = String(number);
  }
  if (seed !== null) fields.seed = /^[0-9]+$/.test(seed) ? String(BigInt(seed)) : JSON.stringify(seed);
  return fields;
}

function jsonText(fields) {
  return `{${Object.entries(fields).map(([name, text]) => `"${name}": ${text}`).join(", ")}}`;
}

/** One word of a shell. */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that asks `address` for the picture of this JSON text. */
function curlOf(json, address, needsKey) {
  const key = needsKey ? ' \\\n  -H "X-Api-Key: $SSD1B_KEY"' : "";
  return `curl --fail-with-body --json ${quoted(json)} \\\n  -H 'Accept: image/png'${key} \\\n` +
    `  ${quoted(address)} -o picture.png`;
}

/** What is added to a sentence of something that goes on; nothing where nobody knows. */
function about(ms) {
  if (!ms) return "";
  const seconds = Math.ceil(ms / 1000);
  return seconds <= 90 ? `, about ${seconds} s left` : `, about ${Math.ceil(seconds / 60)} min left`;
}
