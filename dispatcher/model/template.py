"""A folder of message source, read and checked; and what rendering it gives besides renditions."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dispatcher.model.fact import FactKind, FactSpec
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.person import Level
from dispatcher.model.rendition import Slot

_NAME = re.compile(
    r"(?P<medium>[a-z_]+)"
    r"(?:\.(?P<piece>subject))?"
    r"(?:\.(?P<locale>[a-z]{2,3}(?:-[A-Z]{2})?))?"
    r"(?:\+(?P<variant>[a-z0-9_]+))?"
    r"\.(?P<extension>txt|mjml|md|html)"
)


class Profile(StrEnum):
    """Which families of lint rules a template answers to."""

    UPDATE = "update"  # an open incident: carries the next update
    APOLOGY = "apology"  # must own the failure and offer repair
    BREACH = "breach"  # must carry what the law demands
    BREACH_US = "breach_us"  # the same, in the layout that California demands
    CLOSING = "closing"  # the incident ends: no next update
    WARNING = "warning"  # tells people what to beware of
    CORRECTION = "correction"  # takes back what we said
    THANKS = "thanks"  # goodwill, on its own and after the end

    @property
    def is_breach(self) -> bool:
        """A notice to people whose data was taken, in whatever layout."""
        return self in (Profile.BREACH, Profile.BREACH_US)


@dataclass(frozen=True, slots=True)
class PartName:
    """`email.subject.fr+staff.txt` taken apart: medium, piece, locale, variant, extension."""

    medium: str
    piece: str
    locale: str
    variant: str
    extension: str

    @classmethod
    def parse(cls, file: str) -> "PartName | None":
        """The name taken apart, or None where it is no part."""
        found = _NAME.fullmatch(file)
        return cls(**{key: value or "" for key, value in found.groupdict().items()}) if found else None

    @property
    def file(self) -> str:
        """The name as it stands in the folder."""
        stem = ".".join(word for word in (self.medium, self.piece, self.locale) if word)
        return f"{stem}{'+' + self.variant if self.variant else ''}.{self.extension}"


@dataclass(frozen=True, slots=True)
class Template:
    """One message in all its parts. `sources` are file name to text; `shared` the partials they may include.

    `locale` is the language of parts without a suffix; `origin` the folder it came from. `level` is the lowest that may
    approve; `approvals` are further yeses, one person of each of these levels.
    """

    id: str
    title: str
    about: str
    purpose: Purpose
    audiences: tuple[str, ...]
    channels: tuple[Channel, ...]
    documents: tuple[str, ...]
    facts: tuple[FactSpec, ...]
    level: Level
    approvals: tuple[Level, ...]
    profile: Profile
    sources: Mapping[str, str]
    shared: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    locale: str = "en"
    origin: str = ""

    def spec(self, name: str) -> FactSpec | None:
        """The fact of that name, if the template knows it."""
        return next((spec for spec in self.facts if spec.name == name), None)

    def locales(self) -> set[str]:
        """Every language in which the template has a part, its own included."""
        named = {name.locale for name in map(PartName.parse, self.sources) if name}
        return {self.locale, *named} - {"", "any"}

    def variants(self) -> set[str]:
        """Every variant that has a part of its own beside the plain one."""
        return {name.variant for name in map(PartName.parse, self.sources) if name} - {""}

    def outline(self) -> dict[str, Any]:
        """What frozen words need to know of their template once its files are gone: all but the words themselves."""
        return {
            "id": self.id,
            "title": self.title,
            "purpose": self.purpose,
            "audiences": list(self.audiences),
            "channels": list(self.channels),
            "documents": list(self.documents),
            "facts": [[f.name, f.kind, f.required, f.confirmed, list(f.required_for)] for f in self.facts],
            "level": self.level,
            "approvals": list(self.approvals),
            "profile": self.profile,
            "parts": sorted(self.sources),
            "locale": self.locale,
        }

    @classmethod
    def of_outline(cls, data: Mapping[str, Any]) -> "Template":
        """The template behind `outline`; its parts are there by name, and empty."""
        return cls(
            id=data["id"],
            title=data["title"],
            about="",
            purpose=Purpose(data["purpose"]),
            audiences=tuple(data["audiences"]),
            channels=tuple(map(Channel, data["channels"])),
            documents=tuple(data["documents"]),
            facts=tuple(_spec(*fact) for fact in data["facts"]),
            level=Level(data["level"]),
            approvals=tuple(map(Level, data["approvals"])),
            profile=Profile(data["profile"]),
            sources=dict.fromkeys(data["parts"], ""),
            locale=data["locale"],
        )

    def sha256(self) -> str:
        """Digest of every byte that shapes a message: the parts, the partials and the words."""
        plain = {"id": self.id, "sources": dict(self.sources), "shared": dict(self.shared)}
        plain["words"] = {locale: dict(words) for locale, words in self.words.items()}
        return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _spec(name: str, kind: str, required: bool, confirmed: bool, required_for: list[str]) -> FactSpec:
    return FactSpec(name, FactKind(kind), required, confirmed, required_for=tuple(required_for))


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered text without deliveries: page, letter, press, banner, script. `format` is md, html or txt."""

    name: str
    locale: str
    variant: str
    format: str
    text: str
    slots: tuple[Slot, ...] = ()

    def sha256(self) -> str:
        """Digest of every byte that the approver saw, slots included."""
        plain = [self.name, self.locale, self.variant, self.format, self.text]
        slots = [[s.tag, s.name, s.form, s.default] for s in self.slots]
        return hashlib.sha256(json.dumps([*plain, slots], ensure_ascii=False).encode()).hexdigest()
