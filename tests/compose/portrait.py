"""Small pictures made by hand: a grey PNG, and the frame of a JPEG."""

import struct
import zlib


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width=64, height=64, more=()):
    """A grey picture of that size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress((b"\0" + bytes(width)) * height)
    chunks = [chunk(b"IHDR", head), *more, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def segment(marker, body):
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg(width=72, height=90, more=b"", frame=0xC0):
    """The segments of one; what follows the scan is no real picture."""
    head = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + segment(0xDB, bytes(65)) + more
    sized = segment(frame, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    return b"\xff\xd8" + head + sized + segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\x34\xff\xd9"
