"""The control: about the least that an asyncio server can do for a stream of tokens, with the command line of the mock.

Every frame is made before the first request, deadlines are absolute (the arrival of the request plus the delay of the
token), and nothing of a request is looked at but its length. `--writes each` is one write for each token and a turn of
the loop after each; `--writes joined` never yields between writes, so that readers find many tokens in one read.

A program of its own: it imports nothing of this project, so that its memory and its start are a server's and no more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(delta: str, finish: str = "null") -> bytes:
    """One event of an OpenAI chat stream as one HTTP chunk."""
    payload = (
        'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1704067200,"model":"mock",'
        f'"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]}}\n\n'
    ).encode()
    return b"%x\r\n%b\r\n" % (len(payload), payload)


async def serve(options: argparse.Namespace) -> None:
    """Answer every request on every connection once, until the process ends."""
    opening = HEAD + event('{"role":"assistant","content":""}')
    tokens = [event(f'{{"content":"w{number % 1000:03} "}}') for number in range(options.tokens)]
    closing = event("{}", '"stop"') + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    gap_s = 1 / options.rate if options.rate else 0
    ttft_s = float(options.ttft.removesuffix("ms")) / 1000
    joined = options.writes == "joined"
    loop = asyncio.get_running_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            arrived_s = loop.time()
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0))
            writer.write(opening)
            for number, token in enumerate(tokens):
                due_s = arrived_s + ttft_s + number * gap_s
                if due_s > loop.time():
                    await asyncio.sleep(due_s - loop.time())
                writer.write(token)
                if not joined:
                    await asyncio.sleep(0)
            writer.write(closing)
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", options.port, backlog=2048)
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-json", action="store_true", help="always so")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--ttft", default="0ms")
    parser.add_argument("--writes", choices=("each", "joined"), default="each")
    parser.add_argument("--seed", type=int, default=1, help="of no meaning here")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
