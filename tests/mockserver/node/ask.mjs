// What the official JavaScript SDKs get of a mock server besides streams: documents, models, errors, the results of
// tools. Started once by tests/mockserver/test_node_sdks.py:
//   node ask.mjs FOLDER_WITH_NODE_MODULES < JOBS
// JOBS is a list as JSON: {"ask": "openai-chat", "url": "http://127.0.0.1:...", "settings": X-Mock's text} each, with
// "retries" where the SDK may try again. The answer to each is a line of JSON, in the order of the jobs: what was asked
// for, or {"failed": class of the error, "message", "status"}.
import { createRequire } from "node:module";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";

const require = createRequire(join(process.argv[2], "package.json"));
const { OpenAI } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");
const { Ollama } = require("ollama");

const TIMEOUT_MS = 20000;
const AT_ONCE = 8;

const user = (content) => ({ role: "user", content });
const schema = { type: "object", properties: { at: { type: "string" } }, required: ["at"] };
const look = { name: "look", description: "look", parameters: schema };
const tools = [{ type: "function", function: look }];
const options = ({ url, settings, retries }) => ({
  baseURL: url,
  apiKey: "none",
  maxRetries: retries ?? 0,
  timeout: TIMEOUT_MS,
  defaultHeaders: settings ? { "X-Mock": settings } : {},
});
const openai = (job) => new OpenAI({ ...options(job), baseURL: `${job.url}/v1` });
const anthropic = (job) => new Anthropic(options(job));
const ollama = ({ url, settings }) => new Ollama({ host: url, headers: settings ? { "X-Mock": settings } : {} });

// Call a tool as an application does, tell its result, and return the call and what is said then.
async function chatRound(job) {
  const client = openai(job);
  const messages = [user("Where is it?")];
  const first = await client.chat.completions.create({ model: "m", messages, tools });
  const [call] = first.choices[0].message.tool_calls;
  messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "it is here" });
  const second = await client.chat.completions.create({ model: "m", messages, tools });
  return { called: call.function.name, at: typeof JSON.parse(call.function.arguments).at, ...said(second) };
}

const said = ({ choices, usage }) => ({
  text: choices[0].message.content,
  finish: choices[0].finish_reason,
  usage: [usage.prompt_tokens, usage.completion_tokens],
});

const askers = {
  async "openai-chat"(job) {
    return said(await openai(job).chat.completions.create({ model: "m", messages: [user("Hello owl")] }));
  },
  async "openai-chat-parts"(job) {
    const parts = [{ type: "text", text: "Hello" }, { type: "text", text: " owl" }];
    const messages = [{ role: "system", content: "Be kind." }, user(parts)];
    return said(await openai(job).chat.completions.create({ model: "m", messages, max_completion_tokens: 99 }));
  },
  async "openai-chat-choices"(job) {
    const request = { model: "m", messages: [user("?")], n: 3 };
    const { choices } = await openai(job).chat.completions.create(request);
    return { texts: choices.map(({ message }) => message.content) };
  },
  async "openai-chat-streamed-choices"(job) {
    const request = { model: "m", messages: [user("?")], n: 2 };
    const { choices } = await openai(job).chat.completions.stream(request).finalChatCompletion();
    return { texts: choices.map(({ message }) => message.content) };
  },
  async "openai-chat-limits"(job) {
    const { choices } = await openai(job).chat.completions.create({ model: "m", messages: [user("?")], max_tokens: 2 });
    const stopped = await openai(job).chat.completions.create({ model: "m", messages: [user("?")], stop: [" the"] });
    return { text: choices[0].message.content, finish: choices[0].finish_reason, stopped: said(stopped).text };
  },
  async "openai-chat-usage"(job) {
    const request = { model: "m", messages: [user("?")], stream: true, stream_options: { include_usage: true } };
    let usage;
    for await (const chunk of await openai(job).chat.completions.create(request)) usage = chunk.usage ?? usage;
    return { usage: [usage.prompt_tokens, usage.completion_tokens] };
  },
  "openai-chat-round": chatRound,
  async "openai-completions"(job) {
    const { choices, usage } = await openai(job).completions.create({ model: "m", prompt: "Hello owl" });
    return { text: choices[0].text, usage: [usage.prompt_tokens, usage.completion_tokens] };
  },
  async "openai-responses"(job) {
    const request = { model: "m", instructions: "Be kind.", input: [user("Hello owl")] };
    const { output_text: text, usage } = await openai(job).responses.create(request);
    return { text, usage: [usage.input_tokens, usage.output_tokens] };
  },
  async "openai-responses-round"(job) {
    const client = openai(job);
    const input = [user("Where is it?")];
    const tools = [{ type: "function", ...look, strict: true }];
    const first = await client.responses.create({ model: "m", input, tools });
    const call = first.output.find(({ type }) => type === "function_call");
    input.push(...first.output, { type: "function_call_output", call_id: call.call_id, output: "it is here" });
    const second = await client.responses.create({ model: "m", input, tools });
    return { called: call.name, at: typeof JSON.parse(call.arguments).at, text: second.output_text };
  },
  async "openai-models"(job) {
    const listed = [];
    for await (const model of openai(job).models.list()) listed.push(model.id);
    return { listed, one: (await openai(job).models.retrieve("m")).id };
  },
  async anthropic(job) {
    const request = { model: "m", max_tokens: 99, system: "Be kind.", messages: [user("Hello owl")] };
    const { content, stop_reason: finish, usage } = await anthropic(job).messages.create(request);
    return { text: content[0].text, finish, usage: [usage.input_tokens, usage.output_tokens] };
  },
  async "anthropic-limits"(job) {
    const ask = (more) => anthropic(job).messages.create({ model: "m", messages: [user("?")], ...more });
    const cut = await ask({ max_tokens: 2 });
    const stopped = await ask({ max_tokens: 99, stop_sequences: [" the"] });
    const [text, last] = [cut.content[0].text, stopped.content[0].text];
    return { text, finish: cut.stop_reason, stopped: last, by: stopped.stop_reason };
  },
  async "anthropic-round"(job) {
    const client = anthropic(job);
    const messages = [user("Where is it?")];
    const request = { model: "m", max_tokens: 99, messages, tools: [{ name: "look", input_schema: schema }] };
    const first = await client.messages.create(request);
    const call = first.content.find(({ type }) => type === "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: "it is here" };
    messages.push({ role: "assistant", content: first.content }, user([result]));
    const second = await client.messages.create(request);
    return { called: call.name, at: typeof call.input.at, text: second.content[0].text };
  },
  async "anthropic-models"(job) {
    const listed = [];
    for await (const model of anthropic(job).models.list()) listed.push(model.id);
    const question = { model: "m", messages: [user("a b")] };
    const { input_tokens: counted } = await anthropic(job).messages.countTokens(question);
    return { listed, one: (await anthropic(job).models.retrieve("m")).id, counted };
  },
  async "ollama-chat"(job) {
    const request = { model: "m", messages: [user("Hello owl")] };
    const { message, prompt_eval_count, eval_count } = await ollama(job).chat(request);
    return { text: message.content, usage: [prompt_eval_count, eval_count] };
  },
  async "ollama-generate"(job) {
    const answer = await ollama(job).generate({ model: "m", prompt: "Hello owl", options: { num_predict: 2 } });
    return { text: answer.response, finish: answer.done_reason };
  },
  async "ollama-round"(job) {
    const client = ollama(job);
    const messages = [user("Where is it?")];
    const { message } = await client.chat({ model: "m", messages, tools });
    const call = message.tool_calls[0].function;
    messages.push(message, { role: "tool", tool_name: call.name, content: "it is here" });
    const second = await client.chat({ model: "m", messages, tools });
    return { called: call.name, at: typeof call.arguments.at, text: second.message.content };
  },
  async "ollama-models"(job) {
    const { models } = await ollama(job).list();
    const { version } = await ollama(job).version();
    return { listed: models.map(({ model }) => model), version: typeof version };
  },
  async "openai-bad-request"(job) {
    return await openai(job).chat.completions.create({ model: "m", messages: [] });
  },
  async "anthropic-bad-request"(job) {
    return await anthropic(job).messages.create({ model: "m", max_tokens: 0, messages: [user("?")] });
  },
  async "ollama-bad-request"(job) {
    return await ollama(job).chat({ model: "", messages: [user("?")] });
  },
};

async function answered(job) {
  try {
    return await askers[job.ask](job);
  } catch (error) {
    const failed = error?.name && error.name !== "Error" ? error.name : (error?.constructor?.name ?? "unknown");
    return { failed, message: String(error?.message ?? error), status: error?.status ?? error?.status_code ?? null };
  }
}

const jobs = JSON.parse(await textOf(process.stdin));
const answers = new Array(jobs.length);
let next = 0;
async function work() {
  while (next < jobs.length) {
    const job = next++;
    answers[job] = JSON.stringify(await answered(jobs[job]));
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
process.stdout.write(answers.join("\n") + "\n");
