"""Sets of cases that several mutants fail, each with why they belong together."""

from __future__ import annotations

from typing import Final

from tests.contract.mutants.row import cases

__all__ = ["ABORTS", "ABORTS_CHUNKED", "ENDS", "ENDS_SHOULD", "HELD", "LINES", "SAME_CONNECTION", "WHOLE_EVENTS"]

HELD: Final = cases(
    "flush.sse.{chunked,close,cl,charset,crlf,get,post}",
    "flush.text.{chunked,close}",
    "flush.ndjson",
    "flush.octet",
    "flush.1byte",
    "flush.mixed.{chunked,close}",
    "flush.comment",
    "flush.gzip",
    "flush.gzip.no-transform",
    "flush.concurrent.8",
)
"""All lockstep: who holds small pieces back, whatever they are, fails it all. (`flush.text.cl` should hold, too.)"""

WHOLE_EVENTS: Final = cases("flush.1byte", "flush.mixed.{chunked,close}")
"""Pieces that are less than an event: who waits for whole events holds them."""

LINES: Final = cases("limit.line.{64k,128k,512k}")

ABORTS_CHUNKED: Final = cases("end.abort.{mid,boundary,rst,after-head}")
"""Where a last chunk makes a cut answer look whole. Behind a Content-Length it cannot."""

ABORTS: Final = ABORTS_CHUNKED | cases("end.abort.{cl,before-head}")

SAME_CONNECTION: Final = cases("end.clean.chunked", "trailer.survive", "conn.{reuse,close-race}")
"""A second answer on a connection behind a chunked one."""

ENDS: Final = cases(
    "flush.sse.{chunked,close,cl,charset,get,post}",
    "flush.comment",
    "flush.gzip",
    "flush.gzip.no-transform",
    "flush.concurrent.8",
    "bytes.{utf8-split,event-split,event-merge,bom,unicode-newlines,multiline-data,empty-data,id-retry}",
    "bytes.{order.seq,slow-client}",
    "limit.line.{64k,128k,512k}",
    "limit.head.{8k,16k,32k}",
    "limit.events.1e5",
    "cancel.then-next",
    "end.clean.{chunked,close,cl}",
    "bp.resume",
    "hdr.{content-type,request-id,retry-after,ratelimit,cache-control,set-cookie,no-content-length}",
    "trailer.survive",
    "interim.{100,103}",
    "req.{body,head,expect}",
    "conn.{reuse,close-race}",
)
"""An answer of the dialect, to its end: several events in one piece, the last of them `[DONE]`; lines end with LF."""

ENDS_SHOULD: Final = cases(
    "flush.head",
    "flush.head.get",
    "limit.line.{1m,2m}",
    "hdr.hop.{request,response}",
    "req.{stream,large-head}",
)
