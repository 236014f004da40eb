"""Segments at the edges of the published rule."""

import pytest

from dispatcher.sandbox.sms_text import segments


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 153, 3),
        ("a" * 151 + "€" + "a" * 153, 2),
        ("é" * 160, 1),
        ("ç" * 70, 1),
        ("ç" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("👍" * 35, 1),
        ("👍" * 36, 2),
        ("ж" * 66 + "👍" + "ж" * 66, 3),
        ("ж" * 65 + "👍" + "ж" * 67, 2),
        ("a" * 100 + "`", 2),
    ],
)
def test_segments(body, count):
    assert segments(body) == count
