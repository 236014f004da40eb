"""How a fact prints: times with their zone, spans, counts and tables, in the reader's language.

These objects are all that a template sees of a fact. They hold words and nothing else to reach for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from babel.units import format_unit
from jinja2.exceptions import UndefinedError

from dispatcher.errors import TemplateError
from dispatcher.model.fact import FactKind, Place, ServiceState
from dispatcher.model.kinds import FactState

_SPANS = (("day", 1440), ("hour", 60), ("minute", 1))


def babel_locale(locale: str) -> Locale:
    """Babel's data for one of our locales; English means British English unless a region says otherwise."""
    return Locale.parse("en_GB" if locale == "en" else locale.replace("-", "_"))


class Absent:
    """An optional fact that nobody gave: false in a condition, an error where it is printed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __str__(self) -> str:
        raise self._refusal()

    __html__ = __str__

    def __getattr__(self, name: str) -> object:
        raise AttributeError(name) if name.startswith("__") else self._refusal()

    def _refusal(self) -> Exception:
        """What is wrong, in words for the author of the template; a missing time is the author's of the broadcast."""
        guard = f"print it inside {{% if {self._name} %}} ... {{% endif %}}"
        if self._name != "next_update":
            return UndefinedError(f"{self._name} was not given; {guard}")
        return TemplateError(
            "no time of the next update was given.",
            why="The text tells people when they hear from us again.",
            mend=(
                'Promise one: dispatcher incident promise REF "in 1h"; a draft about no incident needs --incident REF.',
                f"In a template of your own: {guard}.",
            ),
        )


class Moment:
    """An instant; printed whole, "18:30 BST (17:30 UTC) on Tuesday 4 August 2026"."""

    def __init__(self, iso: str, printer: "Printer") -> None:
        self._at = datetime.fromisoformat(iso).astimezone(ZoneInfo(printer.zone))
        self._printer = printer

    def __str__(self) -> str:
        local = self.time
        if self._at.utcoffset():
            local += f" ({self._wall(self._at.astimezone(UTC))} UTC)"
        return self._both(local, self._day("EEEE d MMMM y"))

    @property
    def time(self) -> str:
        """The clock alone, with its zone: "18:30 BST"."""
        return f"{self._wall(self._at)} {_zone_name(self._at)}"

    @property
    def date(self) -> str:
        """The day in words: "4 August 2026"."""
        return self._day("d MMMM y")

    @property
    def short(self) -> str:
        """For text messages and posts: "18:30 BST on 4 August"."""
        return self._both(self.time, self._day("d MMMM"))

    @property
    def iso(self) -> str:
        """For machines: "2026-08-04T17:30:00Z"."""
        return self._at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def _day(self, pattern: str) -> str:
        return str(format_date(self._at, pattern, locale=babel_locale(self._printer.locale)))

    def _wall(self, moment: datetime) -> str:
        return self._printer.words["clock"].format(hour=moment.hour, minute=moment.minute)

    def _both(self, time: str, day: str) -> str:
        return self._printer.words["moment"].format(time=time, day=day)


def _zone_name(moment: datetime) -> str:
    """GMT, BST, CET; where a zone has no letters, its distance from UTC."""
    name = moment.tzname() or ""
    return name if name.isalpha() else f"UTC{moment.isoformat()[-6:]}"


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service in one region. `state` is the word that templates compare; `words` what people read."""

    name: str
    region: str
    note: str
    state: str
    words: str

    def __str__(self) -> str:
        return f"{self.name} ({self.region})" if self.region else self.name


class Services(tuple[ServiceLine, ...]):
    """Every service named, also by how it works now."""

    __slots__ = ()

    def _in(self, state: ServiceState) -> tuple[ServiceLine, ...]:
        return tuple(line for line in self if line.state == state)

    @property
    def down(self) -> tuple[ServiceLine, ...]:
        return self._in(ServiceState.DOWN)

    @property
    def degraded(self) -> tuple[ServiceLine, ...]:
        return self._in(ServiceState.DEGRADED)

    @property
    def working(self) -> tuple[ServiceLine, ...]:
        return self._in(ServiceState.OPERATIONAL)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The data types of a breach. Only what is confirmed as not taken is said to be not taken."""

    taken: tuple[str, ...]
    not_taken: tuple[str, ...]
    checking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints plain values for one reader. `escape` makes words safe for the part they go into."""

    locale: str
    zone: str
    words: Mapping[str, str]
    escape: Callable[[str], str] = str

    def value(self, kind: FactKind, plain: Any) -> object:
        """What stands in a template for a fact of this kind."""
        match kind:
            case FactKind.MOMENT:
                return Moment(plain, self)
            case FactKind.DURATION:
                return self.span(plain)
            case FactKind.NUMBER:
                return _plain_blanks(format_decimal(plain, locale=babel_locale(self.locale)))
            case FactKind.LIST | FactKind.STEPS:
                return tuple(map(self.escape, plain))
            case FactKind.SERVICES:
                return Services(map(self._service, plain))
            case FactKind.MATRIX:
                return self._matrix(plain)
            case FactKind.LINE | FactKind.TEXT:
                return self.escape(plain)
            case _:
                return plain

    def span(self, minutes: int) -> str:
        """Minutes in words: "1 hour 30 minutes"."""
        words = []
        for unit, size in _SPANS:
            count, minutes = divmod(minutes, size)
            if count:
                words.append(format_unit(count, f"duration-{unit}", "long", locale=babel_locale(self.locale)))
        return _plain_blanks(" ".join(words))

    def _service(self, row: Mapping[str, str | None]) -> ServiceLine:
        state = str(row["state"])
        name, region, note = (self.escape(row.get(key) or "") for key in ("name", "region", "note"))
        return ServiceLine(name, region, note, state, self.words[f"service_{state}"])

    def _matrix(self, rows: Sequence[Mapping[str, str | None]]) -> Matrix:
        return Matrix(
            taken=tuple(self._data(row) for row in rows if row["place"] == Place.TAKEN),
            not_taken=tuple(self._data(row) for row in rows if _surely_not_taken(row)),
            checking=tuple(
                self._data(row) for row in rows if row["place"] != Place.TAKEN and not _surely_not_taken(row)
            ),
        )

    def _data(self, row: Mapping[str, str | None]) -> str:
        data = str(row["data"])
        label, note = self.words.get(f"data_{data}") or self.escape(data), row.get("note")
        return f"{label} ({self.escape(note)})" if note else label


def _plain_blanks(text: str) -> str:
    """Babel writes no-break blanks, which would turn a whole text message into the dear encoding."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _surely_not_taken(row: Mapping[str, str | None]) -> bool:
    return row["place"] == Place.NOT_TAKEN and row["state"] == FactState.CONFIRMED
