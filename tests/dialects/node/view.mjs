// What the official JavaScript SDKs make of streams. Started once by tests/dialects/test_node_sdks.py, and by
// tests/mockserver/test_node_sdks.py:
//   node view.mjs FOLDER_WITH_NODE_MODULES < JOBS
// JOBS is a list as JSON: {"sdk": "openai-chat", "url": "http://127.0.0.1:..."} each, and maybe "headers" that the SDK
// is to send. All offer the same tools, where there is a way to. The answer to each is a line of JSON, in the order of
// the jobs: {"text", "reasoning", "calls": [[name, arguments]...], "finish", "usage": [in, out]}, where finish is the
// vendor's word or null; or {"failed": class of the error, "message"}.
import { createRequire } from "node:module";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";

const require = createRequire(join(process.argv[2], "package.json"));
const { OpenAI } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");
const { Ollama } = require("ollama");
const { HttpAgent } = require("@ag-ui/client");
const { DefaultChatTransport, readUIMessageStream, getToolOrDynamicToolName, isToolOrDynamicToolUIPart } = require("ai");

const TIMEOUT_MS = 20000;
const AT_ONCE = 8;

const messages = [{ role: "user", content: "?" }];
const functions = [
  { name: "look", parameters: { type: "object", properties: { at: { type: "string" } }, required: ["at"] } },
  { name: "find", parameters: { type: "object", properties: { n: { type: "integer" }, deep: { type: "boolean" } } } },
].map((each) => ({ ...each, description: each.name }));
const tools = functions.map((each) => ({ type: "function", function: each }));
const openai = (baseURL, defaultHeaders) =>
  new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: TIMEOUT_MS, defaultHeaders });

// Arguments, parsed as every user does; as they are, if that cannot be done.
function parsed(json) {
  try {
    return JSON.parse(json || "{}");
  } catch {
    return json;
  }
}

const empty = () => ({ text: "", reasoning: "", calls: [], finish: null, usage: null });

// What the chunks of a chat completion add up to, for those who take them one by one.
class ChatPieces {
  view = empty();
  calls = new Map();

  add(chunk) {
    const { view } = this;
    const usage = chunk.usage ?? chunk.x_groq?.usage;
    if (usage) view.usage = [usage.prompt_tokens, usage.completion_tokens];
    for (const { index, delta, finish_reason } of chunk.choices ?? []) {
      if (index !== 0) continue;
      view.text += (delta.content ?? "") + (delta.refusal ?? "");
      view.reasoning += delta.reasoning_content || delta.reasoning || "";
      for (const call of delta.tool_calls ?? []) {
        const known = this.calls.get(call.index) ?? ["", ""];
        const { name, arguments: json } = call.function;
        this.calls.set(call.index, [known[0] + (name ?? ""), known[1] + (json ?? "")]);
      }
      view.finish = finish_reason ?? view.finish;
    }
  }

  end() {
    this.view.calls = [...this.calls.values()].map(([name, json]) => [name, parsed(json)]);
    return this.view;
  }
}

const readers = {
  async "openai-chat"(url, headers) {
    const pieces = new ChatPieces();
    const stream = openai(url, headers).chat.completions.stream({ model: "m", messages, tools });
    stream.on("chunk", (chunk) => pieces.add(chunk));
    let completion;
    try {
      completion = await stream.finalChatCompletion();
    } catch (error) {
      // So it says that a choice has finished for this reason.
      if (/^(LengthFinishReason|ContentFilterFinishReason)Error$/.test(error.constructor.name)) return pieces.end();
      throw error;
    }
    const { message, finish_reason: finish } = completion.choices[0];
    const calls = (message.tool_calls ?? []).map((call) => [call.function.name, parsed(call.function.arguments)]);
    return { ...pieces.view, text: (message.content ?? "") + (message.refusal ?? ""), calls, finish };
  },

  async "openai-chat-chunks"(url, headers) {
    const pieces = new ChatPieces();
    const request = { model: "m", messages, tools, stream: true };
    for await (const chunk of await openai(url, headers).chat.completions.create(request)) {
      pieces.add(chunk);
    }
    return pieces.end();
  },

  async "openai-completions"(url, headers) {
    const view = empty();
    const request = { model: "m", prompt: "?", stream: true };
    for await (const chunk of await openai(url, headers).completions.create(request)) {
      if (chunk.usage) view.usage = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens];
      for (const choice of chunk.choices) {
        if (choice.index !== 0) continue;
        view.text += choice.text;
        view.finish = choice.finish_reason ?? view.finish;
      }
    }
    return view;
  },

  async "openai-responses"(url, headers) {
    const view = empty();
    const tools = functions.map((each) => ({ type: "function", ...each }));
    const stream = openai(url, headers).responses.stream({ model: "m", input: "?", tools });
    let deltas = "";
    for await (const event of stream) {
      if (/^response\.(output_text|refusal)\.delta$/.test(event.type)) deltas += event.delta;
    }
    const response = await stream.finalResponse();
    if (response.status === "failed") throw new Error(response.error.message);
    for (const item of response.output) {
      if (item.type === "message") {
        for (const content of item.content) view.text += content.type === "refusal" ? content.refusal : content.text;
      } else if (item.type === "reasoning") {
        for (const content of [...item.summary, ...(item.content ?? [])]) view.reasoning += content.text;
      } else if (item.type === "function_call") {
        view.calls.push([item.name, parsed(item.arguments)]);
      }
    }
    if (deltas !== view.text) {
      const message = "the deltas are not what the finished response has";
      throw Object.assign(new Error(message), { name: "InconsistentError" });
    }
    const status = response.status === "in_progress" ? null : response.status;
    view.finish = response.incomplete_details?.reason ?? status;
    if (response.usage) view.usage = [response.usage.input_tokens, response.usage.output_tokens];
    return view;
  },

  async anthropic(url, headers) {
    const view = empty();
    const options = { apiKey: "none", maxRetries: 0, timeout: TIMEOUT_MS, defaultHeaders: headers };
    const client = new Anthropic({ baseURL: url, ...options });
    const tools = functions.map(({ name, parameters }) => ({ name, input_schema: parameters }));
    const message = await client.messages.stream({ model: "m", max_tokens: 999, messages, tools }).finalMessage();
    for (const block of message.content) {
      if (block.type === "text") view.text += block.text;
      else if (block.type === "thinking") view.reasoning += block.thinking;
      else if (block.type === "tool_use") view.calls.push([block.name, block.input]);
    }
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = message.usage;
    const read = input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0);
    return { ...view, finish: message.stop_reason, usage: [read, output_tokens] };
  },

  async "ollama-chat"(host, headers) {
    const view = empty();
    const request = { model: "m", messages, tools, stream: true };
    for await (const { message, ...part } of await new Ollama({ host, headers }).chat(request)) {
      view.text += message.content ?? "";
      view.reasoning += message.thinking ?? "";
      for (const call of message.tool_calls ?? []) view.calls.push([call.function.name, call.function.arguments]);
      if (part.done) Object.assign(view, closing(part));
    }
    return view;
  },

  async "ollama-generate"(host, headers) {
    const view = empty();
    const request = { model: "m", prompt: "?", stream: true };
    for await (const part of await new Ollama({ host, headers }).generate(request)) {
      view.text += part.response ?? "";
      view.reasoning += part.thinking ?? "";
      // Its types have no tool calls, its objects have.
      for (const call of part.tool_calls ?? []) view.calls.push([call.function.name, call.function.arguments]);
      if (part.done) Object.assign(view, closing(part));
    }
    return view;
  },

  async "ag-ui"(url, headers) {
    const view = empty();
    const initialMessages = [{ id: "1", ...messages[0] }];
    const agent = new HttpAgent({ url, headers, threadId: "thread", initialMessages });
    let failure;
    const { newMessages } = await agent.runAgent(
      { runId: "run", tools: functions, forwardedProps: { model: "m" } },
      {
        onRunErrorEvent({ event }) {
          failure = Object.assign(new Error(event.message), { name: "RunError" }); // the run itself resolves
        },
        onRunFinishedEvent({ event }) {
          view.finish = event.metadata?.finishReason ?? "stop"; // AG-UI itself knows success and interruption
          const sum = (key) => event.usage.reduce((total, each) => total + (each[key] ?? 0), 0);
          if (event.usage?.length) view.usage = [sum("inputTokens"), sum("outputTokens")];
        },
      },
    );
    if (failure) throw failure;
    for (const message of newMessages) {
      if (message.role === "reasoning") view.reasoning += message.content ?? "";
      if (message.role !== "assistant") continue;
      view.text += message.content ?? "";
      for (const call of message.toolCalls ?? []) view.calls.push([call.function.name, parsed(call.function.arguments)]);
    }
    return view;
  },

  async "vercel-ui"(api, headers) {
    const view = empty();
    const asked = [{ id: "1", role: "user", parts: [{ type: "text", text: "?" }] }];
    const options = { trigger: "submit-message", chatId: "chat", messageId: undefined, messages: asked };
    const transport = new DefaultChatTransport({ api, headers, body: { model: "m" } });
    const chunks = await transport.sendMessages({ ...options, abortSignal: undefined });
    // The message has no place for why the model stopped; applications take it from the chunk.
    const noted = new TransformStream({
      transform(chunk, controller) {
        if (chunk.type === "finish") view.finish = chunk.finishReason ?? "stop";
        controller.enqueue(chunk);
      },
    });
    let failure;
    let last;
    const onError = (error) => (failure ??= error);
    for await (const message of readUIMessageStream({ stream: chunks.pipeThrough(noted), onError })) last = message;
    if (failure) throw failure;
    for (const part of last.parts) {
      if (part.type === "text") view.text += part.text;
      else if (part.type === "reasoning") view.reasoning += part.text;
      else if (isToolOrDynamicToolUIPart(part)) view.calls.push([getToolOrDynamicToolName(part), part.input]);
    }
    const usage = last.metadata?.usage;
    if (usage) view.usage = [usage.inputTokens, usage.outputTokens];
    return view;
  },
};

function closing({ done_reason: finish, prompt_eval_count, eval_count }) {
  return { finish, usage: [prompt_eval_count ?? 0, eval_count ?? 0] };
}

async function answered({ sdk, url, headers = {} }) {
  try {
    return await readers[sdk](url, headers);
  } catch (error) {
    const kind = error?.name && error.name !== "Error" ? error.name : error?.constructor?.name;
    return { failed: kind ?? "unknown", message: String(error?.message ?? error) };
  }
}

// Some SDKs log what they skip, and let go of promises that fail: neither is an answer.
console.warn = console.error = console.log = () => {};
process.on("unhandledRejection", () => {});

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
