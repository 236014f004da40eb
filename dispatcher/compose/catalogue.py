"""Finds templates: the operator's folder first, then the shipped one; a folder with the same id replaces the other.

A template is `messages/<id>/template.toml` with its parts beside it. Partials that several templates include, and the
words of each language, stand in `messages/shared/`; there single files may be replaced.
"""

import difflib
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from dispatcher.compose.parts import ANY, DOCUMENTS, PIECES
from dispatcher.errors import NotFound, TemplateError
from dispatcher.model.fact import FactKind, FactSpec
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.person import Level
from dispatcher.model.template import PartName, Profile, Template

T = TypeVar("T")

SHARED = "shared"
_DESCRIPTION = "template.toml"
_LARGEST = 256 * 1024
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
_FactName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
RESERVED = frozenset({"as_of", "incident", "locale", "next_update", "org", "recipient", "verify", "words", "direction"})
"""Names that every template can use besides its facts."""


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: FactKind
    required: bool = False
    confirmed: bool = False
    about: str = ""
    required_for: tuple[str, ...] = ()


class _Description(BaseModel):
    """What template.toml may say."""

    model_config = ConfigDict(extra="forbid")

    id: _Id
    title: str
    about: str
    purpose: Purpose
    audiences: list[str] = Field(min_length=1)
    channels: list[Channel] = []
    documents: list[str] = []
    level: Level
    approvals: list[Level] = []
    profile: Profile
    locale: str = "en"
    facts: dict[_FactName, _Fact] = {}


class Catalogue:
    """Every template that can be used. `roots` are folders that hold `messages/`, the operator's before the shipped."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(root / "messages" for root in roots if (root / "messages").is_dir())
        self._kept: dict[tuple[Path, object], tuple[tuple[int, ...], Any]] = {}

    def ids(self) -> list[str]:
        """Names of all templates, in order."""
        return sorted(self._folders())

    def get(self, template_id: str) -> Template:
        """The template of that id, read afresh: what is on disk now is what gets said."""
        if folder := self._folders().get(template_id):
            return self._read(folder)
        near = difflib.get_close_matches(template_id, self.ids(), n=1)
        raise NotFound(
            f"No template is called {template_id!r}.",
            why=f"Did you mean {near[0]}?" if near else "",
            mend="See them all: dispatcher template list",
        )

    def all(self) -> list[Template]:
        """Every template; raises at the first that is broken."""
        return [self.get(template_id) for template_id in self.ids()]

    def example(self, template_id: str) -> dict[str, Any]:
        """The invented facts that stand beside a template, for trying it; empty where there are none."""
        path = Path(self.get(template_id).origin) / "example.toml"
        return _toml(path) if path.is_file() else {}

    def vocabulary(self) -> dict[str, FactSpec]:
        """Every fact name that a readable template asks for. One name has one kind in the whole catalogue."""
        names: dict[str, FactSpec] = {}
        for template in filter(None, map(self._readable, self.ids())):
            for spec in template.facts:
                known = names.setdefault(spec.name, spec)
                if known.kind is not spec.kind:
                    raise TemplateError(
                        f"The fact {spec.name} is {spec.kind} in {template.id} and {known.kind} elsewhere.",
                        mend="Give one of them another name.",
                    )
        return names

    def profiles(self) -> dict[str, Profile]:
        """What kind of message each template is, but for those that cannot be read: they are nobody else's concern."""
        found = {template_id: self._profile(folder) for template_id, folder in self._folders().items()}
        return {template_id: profile for template_id, profile in found.items() if profile is not None}

    def unreadable(self) -> list[str]:
        """The templates that cannot be used as they are now."""
        return [template_id for template_id in self.ids() if self._readable(template_id) is None]

    def _readable(self, template_id: str) -> Template | None:
        try:
            return self.get(template_id)
        except (OSError, TemplateError):
            return None

    def _profile(self, folder: Path) -> Profile | None:
        try:
            return Profile(str(self._file(folder / _DESCRIPTION, _toml).get("profile")))
        except (OSError, TemplateError, ValueError):
            return None

    def _file(self, path: Path, read: Callable[[Path], T]) -> T:
        """What `read` makes of it, kept for as long as the file stays as it is; nobody may change what is returned."""
        told = path.stat()
        version = (told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino)  # copies may keep the time of change
        known = self._kept.get((path, read))
        if known is None or known[0] != version:
            known = self._kept[path, read] = (version, read(path))
        found: T = known[1]
        return found

    def _folders(self) -> dict[str, Path]:
        found = {one.name: one for root in reversed(self._roots) for one in root.iterdir() if _is_template(one)}
        return {template_id: folder for template_id, folder in found.items() if template_id != SHARED}

    def _read(self, folder: Path) -> Template:
        described = self._file(folder / _DESCRIPTION, _describe)
        _check(described, folder)
        return Template(
            id=described.id,
            title=described.title,
            about=described.about,
            purpose=described.purpose,
            audiences=tuple(described.audiences),
            channels=tuple(described.channels),
            documents=tuple(described.documents),
            facts=tuple(FactSpec(name, **dict(fact)) for name, fact in described.facts.items()),
            level=described.level,
            approvals=tuple(described.approvals),
            profile=described.profile,
            sources=self._parts(folder),
            shared=self._shared(),
            words=self._words(),
            locale=described.locale,
            origin=str(folder),
        )

    def _shared(self) -> dict[str, str]:
        files: dict[str, str] = {}
        for root in reversed(self._roots):
            if (root / SHARED).is_dir():
                files |= self._parts(root / SHARED)
        return files

    def _parts(self, folder: Path) -> dict[str, str]:
        paths = [path for path in sorted(folder.iterdir()) if path.is_file() and PartName.parse(path.name)]
        return {path.name: self._file(path, _text) for path in paths}

    def _words(self) -> dict[str, dict[str, str]]:
        words: dict[str, dict[str, str]] = {}
        for root in reversed(self._roots):
            path = root / SHARED / "words.toml"
            for locale, table in (self._file(path, _toml) if path.is_file() else {}).items():
                words.setdefault(locale, {}).update({key: str(value) for key, value in table.items()})
        return words


def _is_template(folder: Path) -> bool:
    return (folder / _DESCRIPTION).is_file()


def _describe(path: Path) -> _Description:
    try:
        return _Description.model_validate(_toml(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = f"{path}: {'.'.join(map(str, first['loc']))} does not fit."
        raise TemplateError(what, why=f"{first['msg']}.", mend="Correct that key.") from None


def _check(described: _Description, folder: Path) -> None:
    path = folder / _DESCRIPTION
    if described.id != folder.name:
        raise TemplateError(f"{path}: the id {described.id} is not the folder's name.", mend="Make them equal.")
    if taken := RESERVED & described.facts.keys():
        raise TemplateError(f"{path}: a fact may not be called {sorted(taken)[0]}.", mend="Give it another name.")
    if strange := [name for name in described.documents if name not in DOCUMENTS]:
        raise TemplateError(
            f"{path}: no document is called {strange[0]!r}.", mend=f"Use one of {', '.join(DOCUMENTS)}."
        )
    if not described.channels and not described.documents:
        raise TemplateError(f"{path}: it has neither a channel nor a document.", mend="Name at least one.")
    _check_parts(described, folder)


def _check_parts(described: _Description, folder: Path) -> None:
    """Every channel and document has its part in the template's own language."""
    wanted = [piece for channel in described.channels for piece in PIECES[channel]]
    wanted += [(name, "", DOCUMENTS[name]) for name in described.documents]
    for medium, piece, extension in wanted:
        names = [PartName(medium, piece, locale, "", extension).file for locale in ("", ANY)]
        if not any((folder / name).is_file() for name in names):
            what = f"{folder.name}: the part {names[0]} is missing."
            raise TemplateError(what, mend=f"Write it: {folder / names[0]}")


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise TemplateError(f"{path} is larger than {_LARGEST // 1024} KiB.", mend="Shorten it.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise TemplateError(f"{path} is not UTF-8 text.", mend="Save it as UTF-8.") from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{path} is not valid TOML.", why=f"{error}.", mend="Correct that line.") from None
