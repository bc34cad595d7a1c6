"""HdrHistogram's own format, so that its tools read our distributions and theirs merge with ours. Pure.

A histogram is written in the V2 compressed encoding (cookie 0x1c849304: zlib around a header and ZigZag LEB128 counts,
runs of empty buckets as one negative number), as base64 text; the unit is the distribution's, ns nearly everywhere,
with three significant digits. Any V2 histogram is read, whatever its digits: one with more than three is rounded to
ours, one with fewer keeps what it has. Source: HdrHistogram's Java and C implementations, which agree on this encoding.

Logs of such histograms, a line each, are in `streamkit.bench.hlog`.

What the format does not carry: the exact least and greatest value and the exact sum. A histogram that comes back has
those of its buckets.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from streamkit.bench.distribution import SUB_BUCKET_BITS, Distribution, floor_of
from streamkit.errors import DecodeError

__all__ = ["MAX_PAYLOAD_BYTES", "from_hdr", "to_hdr"]

ENCODING: Final = 0x1C849303
COMPRESSED: Final = 0x1C849304
WORD_BITS: Final = 0x10
"""Set in both cookies: the counts are of variable length."""

DIGITS: Final = 3
HOUR_NS: Final = 3_600_000_000_000
"""The greatest value that a written histogram says it can hold, where it holds none that is greater: the same number in
all of them, because tools refuse to add up histograms of different ranges."""

HEADER: Final = struct.Struct(">iiiiqqd")
OUTER: Final = struct.Struct(">ii")

MAX_PAYLOAD_BYTES: Final = 4 * 1024 * 1024
"""Of a histogram that is read, unpacked. One of five digits over the whole range of 64 bits has no more."""

MAX_VALUE: Final = (1 << 63) - 1


def to_hdr(distribution: Distribution) -> str:
    """Return a distribution as base64 text.

    Raises:
        ValueError: a value does not fit in 63 bits.
    """
    if distribution.high > MAX_VALUE:
        raise ValueError(f"the format ends at 2**63 - 1, and {distribution.high} is above it")
    payload = bytearray()
    after = 0
    for floor, count in distribution.buckets():
        index = _index_of(floor)
        if index > after:
            payload += _zigzag(after - index)
        payload += _zigzag(count)
        after = index + 1
    high = distribution.high
    highest = HOUR_NS if after <= _index_of(floor_of(HOUR_NS)) + 1 else (1 << high.bit_length()) - 1
    header = HEADER.pack(ENCODING | WORD_BITS, len(payload), 0, DIGITS, 1, highest, 1.0)
    packed = zlib.compress(header + payload)
    return base64.b64encode(OUTER.pack(COMPRESSED | WORD_BITS, len(packed)) + packed).decode("ascii")


def from_hdr(text: str) -> Distribution:
    """Return the distribution of a histogram's base64 text.

    Raises:
        DecodeError: it is no histogram in the V2 compressed encoding, or a damaged one.
    """
    digits, unit_bits, ratio, payload = _unpacked(text)
    # A row has half as many buckets as a number of `bits` bits can count; only the first one has all of them.
    bits = max(1, math.ceil(math.log2(2 * 10**digits)))
    half = 1 << (bits - 1)
    made = Distribution()
    index = 0
    for number in _numbers(payload):
        if number < 0:
            index -= number
            continue
        if number:
            row = max(0, (index >> (bits - 1)) - 1)
            shift = row + unit_bits
            if shift >= 63:
                raise _wrong("a bucket is beyond the range of 63 bits")
            floor = (index - row * half) << shift
            is_ours = digits == DIGITS and unit_bits == 0 and ratio == 1
            value = floor if is_ours else (floor + (1 << shift >> 1)) * ratio
            if value > MAX_VALUE:
                raise _wrong("a value is beyond the range of 63 bits")
            made.add(round(value), number)
        index += 1
    # What the sum and the ends are is known as well as the buckets are.
    return _centred(made)


def _centred(made: Distribution) -> Distribution:
    """Return a distribution whose least, greatest and sum are those of its buckets, not those of their lower edges."""
    buckets = [*made.buckets()]
    if not buckets:
        return made
    doubled = sum(count * (2 * floor + _width_of(floor) - 1) for floor, count in buckets)
    last = buckets[-1][0]
    flat = [number for bucket in buckets for number in bucket]
    return Distribution.from_json([buckets[0][0], last + _width_of(last) - 1, doubled // 2, 0, 0, 0, *flat])


def _width_of(floor: int) -> int:
    return 1 << max(0, floor.bit_length() - SUB_BUCKET_BITS)


def _index_of(floor: int) -> int:
    """Return the place of a bucket of ours in the list of all counts."""
    row = max(0, floor.bit_length() - SUB_BUCKET_BITS)
    return (floor >> row) + row * (1 << (SUB_BUCKET_BITS - 1))


def _unpacked(text: str) -> tuple[int, int, float, bytes]:
    """Return digits, bits of the unit, the ratio to real values, and the counts as they are written."""
    try:
        data = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(f"it is not base64: {error}") from error
    if len(data) < OUTER.size:
        raise _wrong("it ends within its head")
    cookie, length = OUTER.unpack_from(data)
    if cookie & ~0xF0 != COMPRESSED:
        raise _wrong(f"its cookie is {cookie & 0xFFFFFFFF:#x}, and the V2 compressed encoding's is {COMPRESSED:#x}")
    if length != len(data) - OUTER.size:
        raise _wrong(f"{length} bytes are announced and {len(data) - OUTER.size} are there")
    unpacker = zlib.decompressobj()
    try:
        inner = unpacker.decompress(data[OUTER.size :], MAX_PAYLOAD_BYTES)
    except zlib.error as error:
        raise _wrong(f"it cannot be unpacked: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise _wrong(f"it does not end where it should, or is longer than {MAX_PAYLOAD_BYTES} bytes")
    if len(inner) < HEADER.size:
        raise _wrong("it ends within its inner head")
    cookie, length, offset, digits, lowest, _, ratio = HEADER.unpack_from(inner)
    payload = inner[HEADER.size :]
    if cookie & ~0xF0 != ENCODING or length != len(payload):
        raise _wrong("its inner head is not the V2 encoding's")
    if offset or not 0 <= digits <= 5 or lowest < 1 or not (math.isfinite(ratio) and ratio > 0):
        raise _wrong("its inner head has an offset, digits, a unit or a ratio that are not read here")
    return digits, lowest.bit_length() - 1, ratio, payload


def _zigzag(number: int) -> bytes:
    """Return a number as ZigZag LEB128, whose ninth byte, if there is one, has eight bits."""
    rest = (number << 1) ^ (number >> 63)
    written = bytearray()
    while rest >= 0x80 and len(written) < 8:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def _numbers(payload: bytes) -> Iterator[int]:
    """Yield the numbers of the counts."""
    at = 0
    while at < len(payload):
        value = shift = 0
        while True:
            if at >= len(payload):
                raise _wrong("it ends within a count")
            byte = payload[at]
            at += 1
            if shift == 56:
                value |= byte << shift
                break
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        yield (value >> 1) ^ -(value & 1)


def _wrong(reason: str) -> DecodeError:
    return DecodeError(f"not a histogram that is read here: {reason}", stage="hdr", record=None, offset=None)
