"""Small answers in three dialects, written by hand, record by record, for the commands that read them."""

from __future__ import annotations

import json

LAST = '"done":true,"done_reason":"stop","total_duration":312845917,"prompt_eval_count":31,"eval_count":4'

OLLAMA: tuple[bytes, ...] = tuple(
    f'{{"model":"llama3.2","created_at":"2026-11-20T09:14:03.{fraction}Z",'
    f'"message":{{"role":"assistant","content":"{content}"}},{rest}}}\n'.encode()
    for fraction, content, rest in (
        ("120457", "Grüße", '"done":false'),
        ("161893", " aus 東京", '"done":false'),
        ("246002", "", LAST),
    )
)
"""An answer of `ollama-chat` in three records."""

HEAD = b'"object":"chat.completion.chunk","created":1795166043,"model":"llama3.2","choices":['

OPENAI = (
    b'data: {"id":"fixed",%b{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,'
    b'"finish_reason":null}]}\n\n'
    b'data: {"id":"fixed",%b{"index":0,"delta":{"content":"Gr\xc3\xbc\xc3\x9fe"},"logprobs":null,'
    b'"finish_reason":null}]}\n\n' % (HEAD, HEAD),
    b'data: {"id":"fixed",%b{"index":0,"delta":{"content":" aus \xe6\x9d\xb1\xe4\xba\xac"},"logprobs":null,'
    b'"finish_reason":null}]}\n\n' % HEAD,
    b'data: {"id":"fixed",%b{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"fixed",%b],"usage":{"prompt_tokens":31,"completion_tokens":4,"total_tokens":35}}\n\n'
    b"data: [DONE]\n\n" % (HEAD, HEAD),
)
"""The same as `openai-chat` with the id `fixed`: what each record of `OLLAMA` becomes."""

DONE = b"data: [DONE]\n\n"


def chunk(finish_reason: str | None = None, index: int | None = 0, **delta: object) -> bytes:
    """A frame of `openai-chat`; `index` None leaves the choice without one."""
    choice = {"delta": delta, "finish_reason": finish_reason} | ({} if index is None else {"index": index})
    return sse({"id": "chatcmpl-7", "created": 1795166043, "model": "gpt-5", "choices": [choice]})


def call(name: str, arguments: str) -> list[dict[str, object]]:
    """The `tool_calls` of a delta with one whole call in it."""
    return [{"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}]


def sse(value: object) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def generate(text: str, *, done: bool = False) -> bytes:
    """A line of `ollama-generate`."""
    value = {"model": "m", "response": text, "done": done} | ({"done_reason": "stop"} if done else {})
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
