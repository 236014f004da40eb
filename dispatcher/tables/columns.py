"""Which column of a list is what: addresses, names and language by their usual headings, anything else a field."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispatcher.errors import AudienceError

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "email": (
        "email", "e mail", "mail", "email address", "e mail address", "emailaddress", "mail address", "e mail adresse",
        "courriel", "adresse e mail", "correo", "correo electronico",
    ),
    "phone": (
        "phone", "mobile", "phone number", "mobile number", "mobile phone", "telephone", "telephone number", "tel",
        "cell", "cell phone", "cellphone", "msisdn", "sms", "handy", "handynummer", "mobil", "telefon",
        "telephone mobile",
    ),
    "name": ("name", "full name", "fullname", "customer name", "display name", "nom complet"),
    "first_name": ("first name", "firstname", "given name", "forename", "vorname", "prenom", "nombre"),
    "locale": ("locale", "language", "lang", "language code", "preferred language", "sprache", "langue", "idioma"),
}  # fmt: skip
IGNORED = "ignore"

_ADDRESSES = ("email", "phone")
_BY_HEADING = {heading: field for field, headings in SYNONYMS.items() for heading in headings}
_FIELD = re.compile(r"[^\W\d]\w{0,62}")


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of cells by what they hold; `fields` are the further ones, in the order of the file."""

    names: tuple[str, ...]
    email: int | None
    phone: int | None
    locale: int | None
    fields: tuple[tuple[str, int], ...]

    def meaning(self) -> dict[str, str]:
        """Column name to what it is taken for."""
        places = {self.email: "email", self.phone: "phone", self.locale: "locale"}
        places |= {place: field for field, place in self.fields}
        return {name: places.get(place, IGNORED) for place, name in enumerate(self.names) if name}


def recognised(names: Sequence[str], mapping: Mapping[str, str] | None = None) -> Columns:
    """What each column holds. `mapping` (column to field, or `ignore`) overrides what the heading says."""
    chosen = _mapped(names, mapping or {})
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        field = chosen.get(place) or _field(name)
        if not name or field == IGNORED:
            continue
        if field in places:
            raise _twice(field, names[places[field]], name)
        places[field] = place
    if not places.keys() & set(_ADDRESSES):
        raise _nowhere(names)
    special = (*_ADDRESSES, "locale")
    return Columns(
        names=tuple(names),
        email=places.get("email"),
        phone=places.get("phone"),
        locale=places.get("locale"),
        fields=tuple((field, place) for field, place in places.items() if field not in special),
    )


def _mapped(names: Sequence[str], mapping: Mapping[str, str]) -> dict[int, str]:
    folded = {name.casefold(): place for place, name in enumerate(names)}
    chosen = {}
    for name, field in mapping.items():
        place = folded.get(" ".join(name.split()).casefold())
        if place is None:
            raise AudienceError(f"The file has no column {name!r}.", why=_columns(names), mend="Correct --map.")
        if not _FIELD.fullmatch(field):
            raise AudienceError(
                f"{field!r} is no field name.",
                why="A field is letters, digits and _, and starts with a letter.",
                mend=f"--map {name!r}=email, phone, name, first_name, locale, ignore or a name of your own.",
            )
        chosen[place] = field
    return chosen


def _field(heading: str) -> str:
    """The field a heading names: a known one by its synonyms, else the heading itself in the form of a name."""
    plain = unicodedata.normalize("NFKD", heading.casefold())
    plain = "".join(char for char in plain if unicodedata.category(char) not in ("Mn", "Cf"))
    words = re.sub(r"[\W_]+", " ", plain).strip()
    if known := _BY_HEADING.get(words):
        return known
    shown = re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", heading).casefold()).strip()
    field = shown.replace(" ", "_")[:63]
    return field if _FIELD.fullmatch(field) else f"column_{field}"[:63].rstrip("_")


def _columns(names: Sequence[str]) -> str:
    return f"Its columns are: {', '.join(filter(None, names))}."


def _twice(field: str, first: str, second: str) -> AudienceError:
    return AudienceError(
        f"The columns {first!r} and {second!r} both hold the {field}.",
        mend=f"Say which one counts: --map {second!r}={IGNORED}",
    )


def _nowhere(names: Sequence[str]) -> AudienceError:
    return AudienceError(
        "No column holds email addresses or telephone numbers.",
        why=_columns(names),
        mend="Say which one does: --map COLUMN=email or --map COLUMN=phone",
    )
