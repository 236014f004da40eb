"""Made-up people and messages for every contract test, and a clock that stands still."""

import datetime as dt
from dataclasses import dataclass, field, replace

from dispatcher.compose import pictures
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Envelope, Rendition, Slot, SlotForm
from tests.compose.portrait import png

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
SOON = NOW + dt.timedelta(hours=1)

NAMES = ("Ana Example", "Zoë Muster", "김민수", "O'Neil & Söhne <Ltd>", "{{ 7*7 }}", "%s %(x)d", "-name-", "")
"""What people are called; none of it may become code, markup or a header."""
UNSAFE_NAMES = ("a\r\nBcc: spy@example.net", "a\nb", "=?utf-8?q?a=0ABcc:_x@y?=", "x\u2028y", "a\x00b", "a\x0bb")
"""Values that cannot stand in a header."""


@dataclass
class StillClock:
    """Says NOW until told otherwise."""

    at: dt.datetime = NOW
    seconds: float = 1000.0

    def now(self):
        return self.at

    def monotonic(self):
        return self.seconds

    def pass_by(self, seconds):
        self.at += dt.timedelta(seconds=seconds)
        self.seconds += seconds


@dataclass
class Arrived:
    """What the far end was given for one recipient, as that recipient would see it."""

    address: str
    key: str | None
    texts: dict = field(default_factory=dict)


def email_rendition(*, slots=True):
    """Subject, text and HTML, each with a slot of its own tag, or without any."""
    tags = {form: f"[[{form}-7f3a]]" for form in SlotForm} if slots else dict.fromkeys(SlotForm, "you")
    parts = {
        "subject": f"An update for {tags['header']}: online orders — paused",
        "text": f"Dear {tags['text']},\nOrders are paused. Next update at 18:00.\n.\nYours, Example Shop",
        "html": f"<p>Dear {tags['html']},</p><p>Orders are <b>paused</b>. Näxt update at 18:00.</p>",
    }
    made = tuple(Slot(tag, "name", form, "customer") for form, tag in tags.items()) if slots else ()
    return Rendition(Channel.EMAIL, "en", "", parts, made)


def pictured(rendition):
    """The same mail with a picture beside the name."""
    picture = pictures.read(png(96, 120))
    html = f'{rendition.parts["html"]}<p><img src="cid:{picture.cid}" alt="Picture of Ana"></p>'
    return replace(rendition, parts={**rendition.parts, "html": html}, picture=picture)


def sms_rendition():
    slot = Slot("[[t-91bc]]", "name", SlotForm.TEXT, "customer")
    text = "Example Shop: hi [[t-91bc]], orders are paused. Next update 18:00. £0 charged & no cards lost"
    return Rendition(Channel.SMS, "en", "", {"text": text}, (slot,))


def post_rendition():
    parts = {
        "post.1": "Orders are paused & we are on it. Next update 10.30am: https://example.com/status.",
        "post.2": "What to do: nothing. Näxt: example.com/help",
    }
    return Rendition(Channel.SOCIAL, "en", "", parts)


def mail_envelopes(count, names=NAMES):
    return [
        Envelope(f"3fL.12.{seq}", f"person{seq}@example.org", {"name": names[seq % len(names)]}) for seq in range(count)
    ]


def sms_envelopes(count, names=NAMES):
    """Numbers from the range that Ofcom keeps for fiction."""
    return [Envelope(f"3fL.12.{seq}", f"+4477009{seq:05d}", {"name": names[seq % len(names)]}) for seq in range(count)]


def post_envelopes(count):
    return [Envelope(f"3fL.12.{seq}", "@example_shop") for seq in range(count)]
