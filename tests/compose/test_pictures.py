"""Pictures of signatories: small PNG and JPEG by their bytes, with nothing hidden in them; all else is refused."""

import base64
import hashlib
import struct
import zlib

import pytest

from dispatcher.compose import pictures
from dispatcher.errors import Refused
from tests.compose.portrait import chunk, jpeg, png, segment

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (png(), "image/png", (64, 64)),
        (png(48, 96), "image/png", (48, 96)),
        (png(1024, 1024), "image/png", (1024, 1024)),
        (png(more=[chunk(b"pHYs", bytes(9))]), "image/png", (64, 64)),
        (jpeg(), "image/jpeg", (72, 90)),
        (jpeg(frame=0xC2), "image/jpeg", (72, 90)),
    ],
)
def test_what_is_taken(data, kind, size):
    found = pictures.read(data)
    assert (found.kind, (found.width, found.height)) == (kind, size)
    assert base64.b64decode(found.data) == data
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.cid == f"signatory-{found.sha256[:12]}@inline"
    assert found.data not in repr(found)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "neither"),
        (SVG, "neither"),
        (b"\xef\xbb\xbf" + SVG, "neither"),
        (b"GIF89a" + bytes(99), "neither"),
        (b"RIFF\0\0\0\0WEBP", "neither"),
        (b"%PDF-1.7", "neither"),
        (png()[:-9], "not whole"),
        (png() + SVG, "not whole"),
        (png().replace(b"IDAT", b"JDAT"), "not whole"),
        (png(more=[chunk(b"tEXt", b"Author\0Ana")]), "metadata"),
        (png(more=[chunk(b"eXIf", b"MM\0*")]), "metadata"),
        (png(more=[chunk(b"acTL", bytes(8))]), "more than one picture"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""), "not whole"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0"), "not whole"),
        (png(47, 60), "each side"),
        (png(1025, 1000), "each side"),
        (png(0, 0), "each side"),
        (png(60, 121), "long and thin"),
        (jpeg(more=segment(0xE1, b"Exif\0\0GPS")), "place and camera"),
        (jpeg(more=segment(0xED, b"Photoshop 3.0\0")), "metadata"),
        (jpeg(more=segment(0xFE, b"made by Ana")), "metadata"),
        (jpeg(frame=0xC9), "rare coding"),
        (jpeg()[:-2], "not whole"),
        (jpeg() + jpeg(), "something stands behind it"),
        (jpeg() + b"PK\x05\x06\xff\xd9", "something stands behind it"),
        (jpeg()[:-2] + segment(0xFE, b"made by Ana") + b"\xff\xd9", "metadata"),
        (jpeg(more=segment(0xE2, b"MPF\0II")), "more than resolution"),
        (png() + chunk(b"tRNS", b"PK") + chunk(b"IEND", b""), "not whole"),
        (jpeg()[:20], "not whole"),
        (b"\xff\xd8\xff", "not whole"),
        (b"\xff\xd8\xff\xe0\0\0" * 3, "FFE0"),
        (png() + bytes(pictures.LARGEST), "65,536 are the most"),
    ],
)
def test_what_is_refused_says_why(data, why):
    with pytest.raises(Refused, match=why) as told:
        pictures.read(data)
    assert told.value.code == "E-PIC"
    assert told.value.mend


def test_no_bytes_make_it_stumble():
    codes = set()
    for whole in (png(), jpeg()):
        for at in range(len(whole)):
            for spoilt in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :], whole[:at] + bytes(4) + whole[at:]):
                codes.add(_told(spoilt))
    assert codes == {"", "E-PIC"}


def _told(data):
    try:
        pictures.read(data)
    except Refused as error:
        return error.code
    return ""


def test_what_we_take_for_whole_is_whole_to_others():
    length, name = struct.unpack(">I4s", png()[8:16])
    assert (length, name) == (13, b"IHDR")
    assert zlib.decompress(png()[41:-16]) == (b"\0" + bytes(64)) * 64
