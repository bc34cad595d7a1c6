// The official JavaScript SDKs leave streams early, each as its users do. Started by tests/gateway/test_node_sdks.py:
//   node leave.mjs FOLDER_WITH_NODE_MODULES < JOBS
// JOBS is a list as JSON: {"sdk": "openai-chat", "url": "http://127.0.0.1:...", "how": "break" or "abort"} each. The
// answer to each is a line of JSON, in the order of the jobs: the first piece of text, behind which it has left.
import { createRequire } from "node:module";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";

const require = createRequire(join(process.argv[2], "package.json"));
const { OpenAI } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");
const { Ollama } = require("ollama");

const messages = [{ role: "user", content: "?" }];
const options = (baseURL) => ({ baseURL, apiKey: "none", maxRetries: 0, timeout: 20000 });

// Each has the stream, a way to abort it, and the text in one of its pieces.
const streams = {
  async "openai-chat"(url) {
    const client = new OpenAI(options(`${url}/v1`));
    const stream = await client.chat.completions.create({ model: "m", messages, stream: true });
    return [stream, () => stream.controller.abort(), (chunk) => chunk.choices[0]?.delta?.content];
  },
  async "openai-responses"(url) {
    const client = new OpenAI(options(`${url}/v1`));
    const stream = await client.responses.create({ model: "m", input: "?", stream: true });
    const text = (event) => (event.type === "response.output_text.delta" ? event.delta : "");
    return [stream, () => stream.controller.abort(), text];
  },
  async anthropic(url) {
    const client = new Anthropic(options(url));
    const stream = await client.messages.create({ model: "m", max_tokens: 9, messages, stream: true });
    return [stream, () => stream.controller.abort(), (event) => event.delta?.text];
  },
  async "ollama-chat"(url) {
    const stream = await new Ollama({ host: url }).chat({ model: "m", messages, stream: true });
    return [stream, () => stream.abort(), (part) => part.message.content];
  },
};

async function left({ sdk, url, how }) {
  const [stream, abort, textIn] = await streams[sdk](url);
  try {
    for await (const piece of stream) {
      const text = textIn(piece);
      if (!text) continue;
      if (how === "break") return text;
      abort();
      return text;
    }
  } catch (error) {
    return { failed: String(error) };
  }
  return { failed: "it ended" };
}

const answers = [];
for (const job of JSON.parse(await textOf(process.stdin))) answers.push(JSON.stringify(await left(job)));
process.stdout.write(answers.join("\n") + "\n");
