"""A signatory's picture: a small PNG or JPEG, known by its bytes and not by its name, without anything hidden in it.

It travels inside the mail (RFC 2392, `cid:`), once in a request whoever many people that request is for, and stands
written out in letters. Nothing is loaded from a host: that would tell who opened the mail and when, stay empty where
pictures from afar are blocked, and need a web server of ours on the worst day of the year. SVG is refused, because it
is a document that may run and load things; so is every block of data that says where and with what a photo was taken.
"""

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator

from dispatcher.errors import Refused
from dispatcher.model.rendition import Picture

LARGEST = 64 * 1024
"""Bytes. It goes with every mail, and a portrait of 200 pixels needs a tenth."""
NARROWEST, WIDEST = 48, 1024
"""Pixels of a side; shown it is 72 wide."""
_STRETCHED = 2
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs")
)  # fmt: skip
_JPEG_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
"""Baseline, extended and progressive: what every mail program shows."""
_JPEG_KEPT = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xEE)) | _JPEG_FRAMES
"""Tables, and the application segments that hold resolution and colour; Exif, XMP, IPTC and comments are others."""
_JPEG_MARKS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""How the contents of those that are kept begin."""
_JPEG_END = b"\xff\xd9"
_SCAN = 0xDA
_MEND = "Save it anew as a PNG or JPEG, without metadata, 48 to 1,024 pixels a side and 64 KiB at most."


def read(data: bytes) -> Picture:
    """The picture in these bytes; Refused (E-PIC) where they are none that we send."""
    if len(data) > LARGEST:
        raise _refused(f"It has {len(data):,} bytes; {LARGEST:,} are the most.")
    if data.startswith(_PNG):
        kind, size = "image/png", _png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        kind, size = "image/jpeg", _jpeg(data)
    else:
        raise _refused("It is neither a PNG nor a JPEG, whatever its name says.")
    width, height = size
    if min(size) < NARROWEST or max(size) > WIDEST:
        raise _refused(f"It is {width} by {height} pixels; each side has {NARROWEST} to {WIDEST:,}.")
    if max(size) > _STRETCHED * min(size):
        raise _refused(f"It is {width} by {height} pixels, too long and thin for a portrait.")
    return Picture(kind, width, height, base64.b64encode(data).decode(), hashlib.sha256(data).hexdigest())


def _refused(what: str) -> Refused:
    return Refused(f"This is no picture for a signature. {what}", mend=_MEND, code="E-PIC")


def _png(data: bytes) -> tuple[int, int]:
    """Width and height, from a file whose every chunk is whole, known and silent about its maker."""
    names = []
    for name, body in _chunks(data):
        if name not in _PNG_CHUNKS:
            raise _refused(f"It holds {name.decode('latin-1')!r}: metadata, or more than one picture.")
        names.append(name)
        if name == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
    if (
        names[:1] != [b"IHDR"]
        or names[-1] != b"IEND"
        or names.count(b"IHDR") > 1
        or names.count(b"IEND") > 1
        or b"IDAT" not in names
    ):
        raise _refused("The PNG is not whole.")
    return int(width), int(height)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at < len(data):
        head = data[at : at + 8]
        length = int.from_bytes(head[:4], "big")
        name, body = head[4:], data[at + 8 : at + 8 + length]
        checked = data[at + 8 + length : at + 12 + length]
        if len(head) < 8 or len(checked) < 4 or zlib.crc32(name + body) != int.from_bytes(checked, "big"):
            raise _refused("The PNG is not whole.")
        if name == b"IHDR" and length != 13:
            raise _refused("The PNG is not whole.")
        yield name, body
        at += 12 + length


def _jpeg(data: bytes) -> tuple[int, int]:
    """Width and height, from the segments before the picture itself."""
    at, size = 2, (0, 0)
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            at = _after_scan(data, at + 2 + length)
            if data[at:] == _JPEG_END and size != (0, 0):
                return size
            continue
        if marker == _JPEG_END[1]:
            break
        if marker not in _JPEG_KEPT:
            raise _refused(f"It holds a segment FF{marker:02X}: metadata such as place and camera, or a rare coding.")
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9].ljust(4, b"\0"))
            size = (int(width), int(height))
        if not data.startswith(_JPEG_MARKS.get(marker, b""), at + 4):
            raise _refused(f"It holds a segment FF{marker:02X} that says more than resolution and colour.")
        at += 2 + max(length, 2)
    raise _refused("The JPEG is not whole, or something stands behind it.")


def _after_scan(data: bytes, at: int) -> int:
    """Where the next marker stands that is no restart and no stuffed byte; the end where there is none."""
    while (at := data.find(b"\xff", at)) >= 0:
        following = data[at + 1] if at + 1 < len(data) else 0
        if following != 0 and not 0xD0 <= following <= 0xD7:
            return at
        at += 2
    return len(data)
