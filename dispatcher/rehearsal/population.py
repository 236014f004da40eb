"""Invented people for rehearsals: the same seed gives the same people on every machine.

Addresses are under example.com, example.org and example.net. Numbers are those kept free for fiction: Britain's
07700 900000 to 900999 (Ofcom) and North America's 555-0100 to 555-0199 of several area codes; there are far fewer of
them than people, so some people have no number. First words such as `bounce` in an address, and the last digits of a
number, tell the pretend vendors what shall become of a message to it.
"""

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

GIVEN: dict[str, Sequence[str]] = {
    "en": ("Amelia", "Noah", "Priya", "Oliver", "Grace", "Kwame", "Isla", "George", "Aisha", "Harry", "Freya", "Tariq"),
    "cy": ("Cerys", "Rhys", "Eleri", "Gethin", "Nia", "Owain", "Siân", "Llŷr"),
    "fr": ("Zoé", "Léa", "Gaël", "Hélène", "François", "Inès", "Noël", "Anaïs"),
    "de": ("Jürgen", "Anke", "Björn", "Käthe", "Matthias", "Heike", "Sören", "Uta"),
    "es": ("Íñigo", "Lucía", "Begoña", "Álvaro", "Nuria", "Joaquín", "Inés", "Raúl"),
    "pl": ("Łukasz", "Małgorzata", "Grzegorz", "Świętosława", "Zofia", "Wojciech"),
    "hi": ("अनन्या", "आरव", "मीरा", "रोहन"),
    "zh": ("伟", "秀英", "丽", "强"),
    "ar": ("فاطمة", "يوسف", "ليلى", "كريم"),
}
FAMILY: dict[str, Sequence[str]] = {
    "en": ("Okafor", "Smith", "Patel", "Wilson", "O’Connor", "Khan", "Taylor-Reid", "Begum", "Hughes", "Osei"),
    "cy": ("Llewellyn", "Prydderch", "ap Gwilym", "Bevan", "Pugh"),
    "fr": ("Lefèvre", "d’Aubigné", "Benoît", "Moreau", "N’Diaye"),
    "de": ("Müller", "Weiß", "von der Heide", "Schröder", "Yılmaz"),
    "es": ("García Núñez", "Ibáñez", "Peña", "Ortega y Ruiz", "Muñoz"),
    "pl": ("Wiśniewska", "Źdźbło", "Kowalczyk", "Nowak"),
    "hi": ("शर्मा", "वर्मा", "नायर"),
    "zh": ("王", "李", "张"),
    "ar": ("الحسيني", "منصور", "حداد"),
}
WEIGHTS = {"en": 62, "cy": 5, "fr": 9, "de": 8, "es": 6, "pl": 4, "hi": 2, "zh": 2, "ar": 2}

HOSTILE = (
    "{{ 7*7 }}", "{% for x in range(9) %}x{% endfor %}", "<script>alert(1)</script>", "=HYPERLINK(\"http://example.net\")",
    "=?utf-8?q?a=0ABcc:_x@example.com?=", "-first_name-", "%recipient.name%", "Robert'); DROP TABLE delivery;--",
    "\u202eevil.exe", "Zoë 👩‍👩‍👧‍👦", "O" * 120, "&amp; ${HOME} $(id)",
)  # fmt: skip
"""Names that must come out as names: never as code, markup, a header or a formula."""

MISHAPS = {
    "bounce": 14, "block": 4, "spam": 3, "optout": 3, "latebounce": 2, "drop": 3, "defer": 10, "silent": 2,
}  # fmt: skip
"""First word of an address and how many of 1,000 addresses bear it."""

AREA_CODES = ("202", "212", "303", "312", "404", "415", "416", "503", "512", "514", "604", "617", "702", "718", "808")
DOMAINS = ("example.com", "example.com", "example.org", "example.net")
COLUMNS = ("name", "first_name", "email", "phone", "locale", "order_number")


@dataclass(frozen=True, slots=True)
class Invented:
    """One row of the list; `opted_out` are the channels on which this person wants nothing."""

    name: str
    first_name: str
    email: str
    phone: str
    locale: str
    order_number: str
    opted_out: tuple[str, ...] = ()


def people(count: int, seed: int) -> Iterator[Invented]:
    """`count` people. Asking for more gives the same ones first, and more after them."""
    chance = random.Random(f"people:{seed}")  # noqa: S311 - repeatable, not secret
    for index in range(count):
        yield _person(chance, index, _number(index, seed))


def _person(chance: random.Random, index: int, number: str) -> Invented:
    tongue = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    first = chance.choice(GIVEN[tongue])
    name = f"{first} {chance.choice(FAMILY[tongue])}"
    if index % 160 == 7:
        first = name = HOSTILE[index // 160 % len(HOSTILE)]
    word = _first_word(chance, tongue)
    return Invented(
        name=name,
        first_name=first,
        email="" if chance.random() < 0.02 and number else f"{word}.{index + 1}@{chance.choice(DOMAINS)}",
        phone=number,
        locale=f"{tongue}-GB" if tongue in ("en", "cy") else tongue,
        order_number=f"EX-{chance.randrange(100_000, 999_999)}",
        opted_out=_opted_out(chance),
    )


def _first_word(chance: random.Random, tongue: str) -> str:
    mark = chance.randrange(1000)
    for word, share in MISHAPS.items():
        if (mark := mark - share) < 0:
            return word
    return f"{tongue}.guest" if tongue in ("hi", "zh", "ar") else f"guest.{tongue}"


def _opted_out(chance: random.Random) -> tuple[str, ...]:
    mark = chance.random()
    return ("email",) if mark < 0.012 else ("sms",) if mark < 0.02 else ("email", "sms") if mark < 0.024 else ()


def _number(index: int, seed: int) -> str:
    """Three of four people have one while fictional numbers last; each number is given once."""
    if (index + seed) % 4 == 3:
        return ""
    turn = index - (index + seed % 4) // 4
    if turn % 2 == 0:
        return f"+447700900{turn // 2:03}" if turn // 2 < 1000 else ""
    area, line = divmod(turn // 2, 100)
    return f"+1{AREA_CODES[area]}5550{100 + line}" if area < len(AREA_CODES) else ""


def write_list(path: Path, count: int, seed: int) -> None:
    """The people as a CSV that `audience import` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(COLUMNS)
        for one in people(count, seed):
            sheet.writerow([getattr(one, column) for column in COLUMNS])


def write_opt_outs(path: Path, count: int, seed: int) -> int:
    """Those who want no message, as a CSV that `suppression import` reads; how many addresses."""
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(("email", "phone"))
        for one in people(count, seed):
            email = one.email if "email" in one.opted_out else ""
            phone = one.phone if "sms" in one.opted_out else ""
            if email or phone:
                sheet.writerow((email, phone))
                written += bool(email) + bool(phone)
    return written
