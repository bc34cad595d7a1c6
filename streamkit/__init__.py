"""streamkit: convert, contract-test, benchmark and mock LLM token streams, without ever holding a byte back.

The public names are here and are loaded when they are first used (PEP 562): `from streamkit import SSEDecoder` loads
the event-stream codec and neither trio nor httpx. The neutral events are not among them, because `End` and others mean
something else here: `from streamkit.dialects import events`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without the import of typing: a command that is interrupted in it could not say so nicely

__version__ = "0.1.0"

if TYPE_CHECKING:
    from streamkit.client.chat import Chat as Chat
    from streamkit.client.httpx_transport import HTTPXTransport as HTTPXTransport
    from streamkit.client.open import RequestOptions as RequestOptions
    from streamkit.client.open import open_chat as open_chat
    from streamkit.client.own import HTTPTransport as HTTPTransport
    from streamkit.client.timeouts import Timeouts as Timeouts
    from streamkit.client.transport import HTTPRequest as HTTPRequest
    from streamkit.client.transport import HTTPResponse as HTTPResponse
    from streamkit.client.transport import ResponseInfo as ResponseInfo
    from streamkit.client.transport import Transport as Transport
    from streamkit.codecs.accumulate import Accumulator as Accumulator
    from streamkit.codecs.jsonarray import JSONArrayDecoder as JSONArrayDecoder
    from streamkit.codecs.jsonarray_encoder import JSONArrayEncoder as JSONArrayEncoder
    from streamkit.codecs.lines import LineScanner as LineScanner
    from streamkit.codecs.ndjson import NDJSONDecoder as NDJSONDecoder
    from streamkit.codecs.ndjson_encoder import NDJSONEncoder as NDJSONEncoder
    from streamkit.codecs.policies import Coalesce as Coalesce
    from streamkit.codecs.policies import Events as Events
    from streamkit.codecs.policies import EveryByte as EveryByte
    from streamkit.codecs.policies import Hostile as Hostile
    from streamkit.codecs.policies import Lines as Lines
    from streamkit.codecs.policies import RandomSize as RandomSize
    from streamkit.codecs.policies import Size as Size
    from streamkit.codecs.rechunk import Rechunker as Rechunker
    from streamkit.codecs.sse import SSEDecoder as SSEDecoder
    from streamkit.codecs.sse_encoder import SSEEncoder as SSEEncoder
    from streamkit.codecs.sse_events import SSEComment as SSEComment
    from streamkit.codecs.sse_events import SSEEvent as SSEEvent
    from streamkit.codecs.stage import BadRecord as BadRecord
    from streamkit.codecs.stage import Pipeline as Pipeline
    from streamkit.codecs.stage import Stage as Stage
    from streamkit.codecs.text import Utf8Decoder as Utf8Decoder
    from streamkit.dialects.convert import Converter as Converter
    from streamkit.dialects.convert import decoder_of as decoder_of
    from streamkit.dialects.convert import encoder_of as encoder_of
    from streamkit.dialects.lifecycle import Lifecycle as Lifecycle
    from streamkit.dialects.lifecycle import Violation as Violation
    from streamkit.dialects.message import Message as Message
    from streamkit.dialects.message import MessageAccumulator as MessageAccumulator
    from streamkit.dialects.message_json import message_json as message_json
    from streamkit.dialects.registry import DIALECTS as DIALECTS
    from streamkit.dialects.registry import get_dialect as get_dialect
    from streamkit.dialects.request_messages import ChatMessage as ChatMessage
    from streamkit.dialects.request_messages import ToolCall as ToolCall
    from streamkit.dialects.requests import ChatRequest as ChatRequest
    from streamkit.dialects.requests import ResponseSchema as ResponseSchema
    from streamkit.dialects.requests import Tool as Tool
    from streamkit.dialects.sniff import AutoDecoder as AutoDecoder
    from streamkit.errors import ConfigError as ConfigError
    from streamkit.errors import ConnectError as ConnectError
    from streamkit.errors import ConnectTimeout as ConnectTimeout
    from streamkit.errors import DecodeError as DecodeError
    from streamkit.errors import DisconnectedError as DisconnectedError
    from streamkit.errors import EncodeError as EncodeError
    from streamkit.errors import FirstTokenTimeout as FirstTokenTimeout
    from streamkit.errors import IdleTimeout as IdleTimeout
    from streamkit.errors import LimitExceeded as LimitExceeded
    from streamkit.errors import LocalError as LocalError
    from streamkit.errors import ProtocolError as ProtocolError
    from streamkit.errors import RemoteError as RemoteError
    from streamkit.errors import ReportedError as ReportedError
    from streamkit.errors import StageStateError as StageStateError
    from streamkit.errors import StatusError as StatusError
    from streamkit.errors import StreamkitError as StreamkitError
    from streamkit.errors import StreamTimeout as StreamTimeout
    from streamkit.errors import TotalTimeout as TotalTimeout
    from streamkit.errors import TruncatedError as TruncatedError
    from streamkit.gateway.config import GatewayConfig as GatewayConfig
    from streamkit.gateway.open import open_gateway as open_gateway
    from streamkit.http.stream import TimedRead as TimedRead
    from streamkit.io.idle import idle as idle
    from streamkit.io.items import End as End
    from streamkit.io.items import Failed as Failed
    from streamkit.io.items import Item as Item
    from streamkit.io.items import Items as Items
    from streamkit.io.pace import pace as pace
    from streamkit.io.run import pull as pull
    from streamkit.io.run import pump as pump
    from streamkit.io.run import push as push
    from streamkit.io.sink import path_sink as path_sink
    from streamkit.io.sink import stdout_sink as stdout_sink
    from streamkit.io.source import as_source as as_source
    from streamkit.io.source import stdin_source as stdin_source
    from streamkit.io.tee import tee as tee

_HOME = {
    "Accumulator": "codecs.accumulate",
    "AutoDecoder": "dialects.sniff",
    "BadRecord": "codecs.stage",
    "Chat": "client.chat",
    "ChatMessage": "dialects.request_messages",
    "ChatRequest": "dialects.requests",
    "Coalesce": "codecs.policies",
    "ConfigError": "errors",
    "ConnectError": "errors",
    "ConnectTimeout": "errors",
    "Converter": "dialects.convert",
    "DIALECTS": "dialects.registry",
    "DecodeError": "errors",
    "DisconnectedError": "errors",
    "EncodeError": "errors",
    "End": "io.items",
    "Events": "codecs.policies",
    "EveryByte": "codecs.policies",
    "Failed": "io.items",
    "FirstTokenTimeout": "errors",
    "GatewayConfig": "gateway.config",
    "HTTPRequest": "client.transport",
    "HTTPResponse": "client.transport",
    "HTTPTransport": "client.own",
    "HTTPXTransport": "client.httpx_transport",
    "Hostile": "codecs.policies",
    "IdleTimeout": "errors",
    "Item": "io.items",
    "Items": "io.items",
    "JSONArrayDecoder": "codecs.jsonarray",
    "JSONArrayEncoder": "codecs.jsonarray_encoder",
    "Lifecycle": "dialects.lifecycle",
    "LimitExceeded": "errors",
    "LineScanner": "codecs.lines",
    "Lines": "codecs.policies",
    "LocalError": "errors",
    "Message": "dialects.message",
    "MessageAccumulator": "dialects.message",
    "NDJSONDecoder": "codecs.ndjson",
    "NDJSONEncoder": "codecs.ndjson_encoder",
    "Pipeline": "codecs.stage",
    "ProtocolError": "errors",
    "RandomSize": "codecs.policies",
    "Rechunker": "codecs.rechunk",
    "RemoteError": "errors",
    "ReportedError": "errors",
    "RequestOptions": "client.open",
    "ResponseInfo": "client.transport",
    "ResponseSchema": "dialects.requests",
    "SSEComment": "codecs.sse_events",
    "SSEDecoder": "codecs.sse",
    "SSEEncoder": "codecs.sse_encoder",
    "SSEEvent": "codecs.sse_events",
    "Size": "codecs.policies",
    "Stage": "codecs.stage",
    "StageStateError": "errors",
    "StatusError": "errors",
    "StreamTimeout": "errors",
    "StreamkitError": "errors",
    "TimedRead": "http.stream",
    "Timeouts": "client.timeouts",
    "Tool": "dialects.requests",
    "ToolCall": "dialects.request_messages",
    "TotalTimeout": "errors",
    "Transport": "client.transport",
    "TruncatedError": "errors",
    "Utf8Decoder": "codecs.text",
    "Violation": "dialects.lifecycle",
    "as_source": "io.source",
    "decoder_of": "dialects.convert",
    "encoder_of": "dialects.convert",
    "get_dialect": "dialects.registry",
    "idle": "io.idle",
    "message_json": "dialects.message_json",
    "open_chat": "client.open",
    "open_gateway": "gateway.open",
    "pace": "io.pace",
    "path_sink": "io.sink",
    "pull": "io.run",
    "pump": "io.run",
    "push": "io.run",
    "stdin_source": "io.source",
    "stdout_sink": "io.sink",
    "tee": "io.tee",
}

__all__ = [*_HOME, "__version__"]  # noqa: PLE0604 - the names are strings


if not TYPE_CHECKING:  # a type checker that sees a __getattr__ lets every misspelt name pass

    def __getattr__(name: str) -> object:
        home = _HOME.get(name)
        if home is None:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
