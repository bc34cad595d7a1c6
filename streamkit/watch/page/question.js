// What is asked of the gateway, as each of its endpoints wants it. Pure.

/** The tool that is offered where a user wants one, and names none. */
export const TOOL = 'get_weather';

/**
 * @typedef {object} Question
 * @property {string} prompt
 * @property {string} model
 * @property {string[]} [tools] names of tools to offer
 */

/**
 * The tools to offer to a mock server that is told to call these: it calls none that it is not offered.
 *
 * @param {string[]} names as in its settings: `auto` is any, `none` is none
 */
export function offered(names) {
  const named = names.filter((name) => name !== 'none').map((name) => (name === 'auto' ? TOOL : name));
  return [...new Set(named)];
}

/** @param {string} name */
function toolOf(name) {
  const isWeather = name === TOOL;
  return {
    type: 'function',
    function: {
      name,
      description: isWeather ? 'The weather at a place, now.' : `The tool ${name}.`,
      parameters: {
        type: 'object',
        properties: isWeather ? { city: { type: 'string' } } : {},
        required: isWeather ? ['city'] : [],
      },
    },
  };
}

/** @param {Question} question */
function shared({ prompt, model, tools = [] }) {
  return {
    model,
    stream: true,
    messages: [{ role: 'user', content: prompt }],
    ...(tools.length > 0 ? { tools: tools.map(toolOf) } : {}),
  };
}

/** The body for OpenAI's chat completions. @param {Question} question */
export function openAIBody(question) {
  return { ...shared(question), stream_options: { include_usage: true } };
}

/** The body for Ollama's chat. @param {Question} question */
export function ollamaBody(question) {
  return shared(question);
}

/** The envelope for `POST /streams` and `/ws`. @param {Question} question */
export function envelope(question) {
  return { dialect: 'openai-chat', request: openAIBody(question) };
}

/**
 * The subprotocols of the WebSocket: with the key, where there is one, as a page can set no header there.
 *
 * @param {string} key
 */
export function subprotocols(key) {
  if (!key) return ['streamkit'];
  const bytes = new TextEncoder().encode(key);
  const base64 = btoa(String.fromCharCode(...bytes));
  return ['streamkit', `streamkit.key.${base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`];
}
