"""One form per address; nothing that could be two things at once."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.channels import email
from dispatcher.errors import Refused


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("jo@example.com", "jo@example.com"),
        ("  Jo.Smith+News@Example.ORG ", "jo.smith+news@example.org"),
        ("ｊｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "jo@example.com"),
        ("jo@bücher.example.org", "jo@xn--bcher-kva.example.org"),
        ("jo@BÜCHER.example.org", "jo@xn--bcher-kva.example.org"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("{{7*7}}@example.com", "{{7*7}}@example.com"),
    ],
)
def test_the_form_that_is_stored(written, stored):
    assert email.canonical(written) == stored
    assert email.canonical(stored) == stored


@pytest.mark.parametrize(
    "written",
    [
        "",
        "jo",
        "jo@",
        "@example.com",
        "jo@example",
        "jo@@example.com",
        "a b@example.com",
        "jo@exa mple.com",
        "jo.@example.com",
        ".jo@example.com",
        "j..o@example.com",
        "jo@" + "-example.com",
        "jo@example..com",
        "jo@[127.0.0.1]",
        '"jo smith"@example.com',
        "Jo <jo@example.com>",
        "jo@example.com,al@example.com",
        "jörg@example.com",
        "jo@exa_mple.com",
        "jo@localhost",
        f"{'a' * 65}@example.com",
        f"jo@{'a' * 64}.com",
        "jo@example.com\nBcc: x@example.net",
        "=?utf-8?q?a=0ABcc:_x@example.com?=",
        "=?utf-8?q?a@example.com",
        "jo\u0000@example.com",
        "jo@example.com\u2028x",
    ],
)
def test_what_is_refused(written):
    with pytest.raises(Refused) as caught:
        email.canonical(written)
    assert caught.value.code == "E-ADR"
    assert caught.value.why
    assert caught.value.mend


@pytest.mark.parametrize("char", "\u202e\u200b\u200d\u2066\ufeff\u00ad")
def test_an_invisible_character_is_named(char):
    with pytest.raises(Refused) as caught:
        email.canonical(f"jo{char}@example.com")
    assert f"U+{ord(char):04X}" in caught.value.why


def test_the_error_never_repeats_the_address_as_its_headline():
    with pytest.raises(Refused) as caught:
        email.canonical("jo..secret@example.com")
    assert "secret" not in str(caught.value)


letters = st.text(st.sampled_from("abcXYZ019.+-_!#$%&'*/=?^`{|}~@ \"(),:;<>[]\\é"), max_size=70)


@given(letters, st.text(st.sampled_from("abcZ019.-_ é@"), max_size=70))
def test_the_quick_way_and_the_long_way_agree(local, domain):
    written = f"{local}@{domain}".strip()
    try:
        told = validate_email(
            written, check_deliverability=False, allow_smtputf8=False, strict=True
        ).ascii_email.lower()
    except EmailNotValidError:
        told = None
    try:
        ours = email.canonical(written)
    except Refused:
        ours = None
    assert ours == (None if "=?" in written else told)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x0bb", "a\u2028b", "a\u2029b", "a\x85b", "=?utf-8?q?x?="])
def test_unsafe_in_a_header(value):
    assert not email.safe_in_header(value)


@pytest.mark.parametrize("value", ["Jo Smith", "Zoë 👩‍👩‍👧‍👦", "O'Neil; Jo, Ltd", "日本"])
def test_safe_in_a_header(value):
    assert email.safe_in_header(value)
