// The mock server's settings as they are written in a header X-Mock, and their values in parts. Pure.
//
// Only writing is done here. What a setting may be is not known: the mock server says it, in the tables that it hands
// out, and it alone reads what was written.

/**
 * One thing that a control can be set to, as `GET mock` tells it.
 *
 * @typedef {{name: string, takes: string, summary: string, example: string, default: string, place: string,
 *   places: string[], dialects: string[]}} Choice
 */

/**
 * A setting that has a field.
 *
 * @typedef {{group: string, takes: string, summary: string, default: string, example: string, repeats: boolean,
 *   choices: Choice[] | null}} Control
 */

/** @typedef {[string, string]} Pair a setting's key, and its value as text */

/** @typedef {{name: string, argument: string, place: string}} Parts of a value: `name[:argument][@place]` */

// What may stand as it is: no semicolon but between quotes, no comma that another setting seems to follow.
const PLAIN = /^(?!["\s])(?:[^";,]|,(?![ \t]+[a-z])|"(?:[^"\\]|\\.)*")*$/;

// What a header cannot have, and without which no Latin-1 text can be taken for UTF-8.
const UNSAFE = /[\u0000-\u001f\u007f-\u00bf]/g; // eslint-disable-line no-control-regex

/**
 * @param {Pair[]} pairs
 * @returns {string} as in a header: `rate=20; say="one; two"`
 */
export function written(pairs) {
  return pairs.map(([key, value]) => `${key}=${isPlain(value) ? value : quoted(value)}`).join('; ');
}

/**
 * @param {string} text a value of a choice: `random:1:16`, `reset@token:5`
 * @param {Choice[]} choices
 * @returns {Parts | null} null where it is none of these, or would not be written in just that way
 */
export function parted(text, choices) {
  const name = /^[a-z0-9-]+/.exec(text)?.[0] ?? '';
  const choice = choices.find((each) => each.name === name);
  if (!choice) return null;
  const rest = text.slice(name.length);
  const at = choice.places.length ? rest.lastIndexOf('@') : -1;
  const head = at < 0 ? rest : rest.slice(0, at);
  const parts = { name, argument: head.slice(1), place: at < 0 ? '' : rest.slice(at + 1) };
  return joined(parts) === text ? parts : null;
}

/**
 * @param {Parts} parts
 * @returns {string} the value; empty for no name
 */
export function joined({ name, argument, place }) {
  return name && name + (argument && `:${argument}`) + (place && `@${place}`);
}

/**
 * Tell what fits into the fields from what does not.
 *
 * @param {Pair[]} pairs what is set
 * @param {Record<string, Control>} controls
 * @returns {{fields: Record<string, string>, others: Pair[]}} the first value for each field, and all else
 */
export function shared(pairs, controls) {
  /** @type {Record<string, string>} */
  const fields = {};
  /** @type {Pair[]} */
  const others = [];
  for (const [key, value] of pairs) {
    const control = Object.hasOwn(controls, key) ? controls[key] : undefined;
    const fits = control && !(key in fields) && value && value === value.trim();
    if (fits && (!control.choices || parted(value, control.choices))) fields[key] = value;
    else others.push([key, value]);
  }
  return { fields, others };
}

/**
 * @param {string} message of the mock server: `rate: 'x' is no number...`
 * @returns {{key: string, reason: string}} the key is empty where it names none
 */
export function blamed(message) {
  const match = /^([a-z][a-z-]*): (.*)$/s.exec(message);
  return match ? { key: match[1], reason: match[2] } : { key: '', reason: message };
}

/** @param {string} value */
function isPlain(value) {
  return value === value.trim() && value.search(UNSAFE) < 0 && PLAIN.test(value);
}

/** @param {string} value */
function quoted(value) {
  const text = JSON.stringify(value);
  return text.replace(UNSAFE, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
