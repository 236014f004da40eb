"""Every rule of v3/mail/send, one body each: what is refused, in which field, and what is just allowed."""

import copy

import pytest

from dispatcher.sandbox.sendgrid_rules import RESERVED_HEADERS, check
from tests.sandbox.conftest import a_mail

NOW = 1_800_000_000


def put(path, value):
    """A valid mail with one thing changed; the path is dotted, numbers are positions."""
    mail = copy.deepcopy(a_mail("ann@example.com", "ben@example.com"))
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    place = mail
    for step in way:
        place = place[step]
    place[last] = value
    return mail


def fields(mail):
    return {problem["field"] for problem in check(mail, NOW)}


def people(count, each=1):
    return [{"to": [{"email": f"p{n}-{m}@example.com"} for m in range(each)]} for n in range(count)]


PERSON = "personalizations.0"

REFUSED = [
    ("personalizations", [], "personalizations"),
    ("personalizations", "ann@example.com", "personalizations"),
    ("personalizations", people(1_001), "personalizations"),
    ("personalizations", people(501, each=2), "personalizations"),
    (PERSON, "ann@example.com", PERSON),
    (f"{PERSON}.to", [], f"{PERSON}.to"),
    (f"{PERSON}.to", {"email": "ann@example.com"}, f"{PERSON}.to"),
    (f"{PERSON}.to.0", "ann@example.com", f"{PERSON}.to.0"),
    (f"{PERSON}.to.0.email", "ann", f"{PERSON}.to.0.email"),
    (f"{PERSON}.to.0.email", "ann@localhost", f"{PERSON}.to.0.email"),
    (f"{PERSON}.to.0.email", "ann lee@example.com", f"{PERSON}.to.0.email"),
    (f"{PERSON}.to.0.email", "ann@example.com\nbcc: x@example.com", f"{PERSON}.to.0.email"),
    (f"{PERSON}.to.0.email", None, f"{PERSON}.to.0.email"),
    (f"{PERSON}.to.0.name", "Lee; Ann", f"{PERSON}.to.0.name"),
    (f"{PERSON}.to.0.name", "Lee, Ann", f"{PERSON}.to.0.name"),
    (f"{PERSON}.to.0.name", "Ann\r\nBcc: x@example.com", f"{PERSON}.to.0.name"),
    (f"{PERSON}.to.0.name", 7, f"{PERSON}.to.0.name"),
    (f"{PERSON}.to.0.phone", "1", f"{PERSON}.to.0.phone"),
    (f"{PERSON}.cc", [{"email": "Ann@example.com"}], PERSON),
    (f"{PERSON}.category", "x", f"{PERSON}.category"),
    (f"{PERSON}.subject", "", f"{PERSON}.subject"),
    (f"{PERSON}.subject", "a\nb", f"{PERSON}.subject"),
    (f"{PERSON}.substitutions", {"%a%": 7}, f"{PERSON}.substitutions"),
    (f"{PERSON}.substitutions", ["%a%"], f"{PERSON}.substitutions"),
    (f"{PERSON}.substitutions", {"%a%": "x" * 9_998}, f"{PERSON}.substitutions"),
    (f"{PERSON}.substitutions", {"%a%": "é" * 4_999}, f"{PERSON}.substitutions"),
    (f"{PERSON}.substitutions", {f"%{n}%": "" for n in range(151)}, f"{PERSON}.substitutions"),
    (f"{PERSON}.custom_args", {"d": 7}, f"{PERSON}.custom_args"),
    (f"{PERSON}.custom_args", {"d": "x" * 10_000}, f"{PERSON}.custom_args"),
    (f"{PERSON}.headers", {"X-A": 1}, f"{PERSON}.headers"),
    (f"{PERSON}.headers", {"X A": "1"}, f"{PERSON}.headers"),
    (f"{PERSON}.headers", {"X-Ä": "1"}, f"{PERSON}.headers"),
    (f"{PERSON}.headers", {"X-A": "1", "x-a": "2"}, f"{PERSON}.headers"),
    (f"{PERSON}.headers", {"X-A": "1\r\nBcc: x@example.com"}, f"{PERSON}.headers.X-A"),
    (f"{PERSON}.send_at", "soon", f"{PERSON}.send_at"),
    (f"{PERSON}.send_at", True, f"{PERSON}.send_at"),
    (f"{PERSON}.from", {"name": "x"}, f"{PERSON}.from.email"),
    ("send_at", NOW + 72 * 3600 + 1, "send_at"),
    ("from", None, "from"),
    ("from", {"email": "café@example.com"}, "from.email"),
    ("from", {"email": "news@example.org", "name": "News, daily"}, "from.name"),
    ("subject", "", "subject"),
    ("subject", 7, "subject"),
    ("subject", "Hello\r\nBcc: x@example.com", "subject"),
    ("content", [], "content"),
    ("content", "Hello", "content"),
    ("content.0", "Hello", "content.0"),
    ("content.0.value", "", "content.0.value"),
    ("content.0.type", "text/plain; charset=utf-8", "content.0.type"),
    ("content.0.type", "text/calendar", "content"),
    ("reply_to", {"email": "nobody"}, "reply_to.email"),
    ("reply_to_list", [{"email": "nobody"}], "reply_to_list.0.email"),
    ("reply_to_list", "a@example.com", "reply_to_list"),
    ("categories", ["a"] * 2, "categories"),
    ("categories", [str(n) for n in range(11)], "categories"),
    ("categories", ["x" * 256], "categories"),
    ("categories", ["é"], "categories"),
    ("attachments", [{"content": "", "filename": "a.txt"}], "attachments.0.content"),
    ("attachments", [{"content": "aGk="}], "attachments.0.filename"),
    ("attachments", [{"content": "a", "filename": "b", "disposition": "x"}], "attachments.0.disposition"),
    ("attachments", {}, "attachments"),
    ("asm", {"group_id": "7"}, "asm.group_id"),
    ("asm", {"group_id": 7, "groups_to_display": list(range(26))}, "asm.groups_to_display"),
    ("mail_settings", {"sandbox_mode": {"enable": "true"}}, "mail_settings.sandbox_mode.enable"),
    ("mail_settings", [], "mail_settings"),
    ("tracking_settings", {"click_tracking": {"enable": 0}}, "tracking_settings.click_tracking.enable"),
    ("template_id", 7, "template_id"),
    ("ip_pool_name", "x", "ip_pool_name"),
    ("colour", "red", "colour"),
]


@pytest.mark.parametrize(("path", "value", "field"), REFUSED)
def test_what_the_vendor_refuses(path, value, field):
    assert fields(put(path, value)) == {field}


ALLOWED = [
    ("personalizations", people(1_000)),
    ("personalizations", people(500, each=2)),
    (f"{PERSON}.to.0.name", "Łukasz O’Connor"),
    (f"{PERSON}.to.0.email", "zoë@example.com"),
    (f"{PERSON}.to.0.email", "ben@example.com"),
    (f"{PERSON}.substitutions", {"%a%": "x" * 9_997}),
    (f"{PERSON}.substitutions", {f"%{n}%": "" for n in range(150)}),
    (f"{PERSON}.custom_args", {"d": "x" * 9_999}),
    (f"{PERSON}.headers", {"List-Unsubscribe": "<http://127.0.0.1/u>", "List-Unsubscribe-Post": "x"}),
    (f"{PERSON}.send_at", NOW - 5),
    ("send_at", NOW + 72 * 3600),
    ("reply_to", {"email": "help@example.org", "name": "Help"}),
    ("mail_settings", {"bypass_spam_management": {"enable": True}, "bypass_bounce_management": {"enable": True}}),
    ("mail_settings", {"bypass_list_management": {"enable": True}, "bypass_spam_management": {"enable": False}}),
    ("tracking_settings", {"open_tracking": {"enable": False}}),
    ("asm", {"group_id": 7, "groups_to_display": list(range(25))}),
    ("categories", [str(n) for n in range(10)]),
    ("attachments", [{"content": "aGk=", "filename": "a.txt", "type": "text/plain"}]),
]


@pytest.mark.parametrize(("path", "value"), ALLOWED)
def test_what_is_just_allowed(path, value):
    assert check(put(path, value), NOW) == []


@pytest.mark.parametrize("name", [*sorted(RESERVED_HEADERS), "X-SG-EID", "Reply-To", "BCC"])
def test_reserved_headers(name):
    assert fields(put(f"{PERSON}.headers", {name: "1"})) == {f"{PERSON}.headers.{name}"}
    assert fields(a_mail(headers={name: "1"})) == {f"headers.{name}"}


def test_custom_arguments_count_together():
    mail = a_mail(custom_args={"all": "x" * 9_000})
    assert check(mail, NOW) == []
    mail["personalizations"][0]["custom_args"]["more"] = "x" * 1_000
    assert fields(mail) == {f"{PERSON}.custom_args"}


def test_a_subject_may_stand_with_each_person_instead():
    mail = a_mail("ann@example.com", "ben@example.com")
    del mail["subject"]
    assert fields(mail) == {"subject"}
    for person in mail["personalizations"]:
        person["subject"] = "Hello"
    assert check(mail, NOW) == []


def test_a_template_replaces_subject_and_content():
    mail = a_mail(template_id="d-1")
    del mail["subject"], mail["content"]
    assert check(mail, NOW) == []


def test_html_before_text_is_refused():
    mail = a_mail()
    mail["content"].reverse()
    assert fields(mail) == {"content"}


def test_two_ways_to_reply_are_one_too_many():
    mail = a_mail(reply_to={"email": "a@example.com"}, reply_to_list=[{"email": "b@example.com"}])
    assert fields(mail) == {"reply_to"}


def test_bypassing_everything_excludes_every_other_bypass():
    both = {"bypass_list_management": {"enable": True}, "bypass_spam_management": {"enable": True}}
    assert fields(a_mail(mail_settings=both)) == {"mail_settings"}


@pytest.mark.parametrize("mail", [None, [], "x", 7])
def test_what_is_not_an_object_is_a_bad_request(mail):
    assert [problem["message"] for problem in check(mail, NOW)] == ["Bad Request"]


def test_several_problems_come_together():
    assert fields({}) == {"from", "content", "personalizations"}
