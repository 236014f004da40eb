"""How often we owe words: the longest silence by readers, severity and age of an incident; regulators' clocks.

The defaults are those of common practice: the first public word within minutes, then every 20 to 30 minutes for two
hours, afterwards fewer, and always with the next time.
"""

import re
from datetime import time, timedelta

from pydantic import Field, ValidationInfo
from pydantic import field_validator as checked

from dispatcher.model.kinds import Severity
from dispatcher.model.promise import Circle
from dispatcher.settings.tables import Block, Words

STAGES = ("first word", "scope", "first 2 hours", "to 24 hours", "days 2 to 7", "later")
"""What the six lengths of a row stand for."""
ON_CHANGE = "-"

_LENGTH = re.compile(r"(\d{1,4})(m|h|d|bd)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)

Rows = dict[Severity, Words]


def _rows(life: str, critical: str, major: str, minor: str) -> Rows:
    told = (life, critical, major, minor)
    return {severity: tuple(row.split()) for severity, row in zip(Severity, told, strict=True)}


_ONCE = "- - - - - -"
DEFAULTS: dict[Circle, Rows] = {
    Circle.CUSTOMERS: _rows("5m 5m 20m 1h 12h 7d", "5m 5m 20m 1h 12h 7d", "15m 30m 30m 2h 1d 7d", "1h - 2h 4h 1d -"),
    Circle.EMPLOYEES: _rows("5m - 12h 12h 12h 12h", "5m - 12h 12h 12h 12h", "15m - 1d 1d 1d 1d", _ONCE),
    Circle.SUPPLIERS: _rows("4h - 1d 1d 1d 1d", "4h - 1d 1d 1d 1d", "1d - 1d 1d 1d 1d", _ONCE),
    Circle.PRESS: _rows("1h - - - - -", "1h - - - - -", _ONCE, _ONCE),
    Circle.EXECUTIVES: _rows("2h - 2h 6h 6h 6h", "2h - 2h 6h 6h 6h", "6h - 6h 12h 12h 12h", "12h - 12h 12h 12h -"),
}


def length(text: str) -> timedelta | None:
    """`20m`, `1h`, `7d` as a length of time; None for `-`, on change only, and for business days (`4bd`)."""
    found = _LENGTH.fullmatch(text)
    if found is None or found[2] == "bd":
        return None
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def business_days(text: str) -> int:
    """4 for `4bd`; 0 for any other length."""
    found = _LENGTH.fullmatch(text)
    return int(found[1]) if found and found[2] == "bd" else 0


class Cadence(Block):
    """The longest time between two words: six lengths a row, see STAGES; `-` is on change only."""

    customers: Rows = Field(default=DEFAULTS[Circle.CUSTOMERS])
    employees: Rows = Field(default=DEFAULTS[Circle.EMPLOYEES])
    suppliers: Rows = Field(default=DEFAULTS[Circle.SUPPLIERS])
    press: Rows = Field(default=DEFAULTS[Circle.PRESS])
    executives: Rows = Field(default=DEFAULTS[Circle.EXECUTIVES])
    fixed_hours: Words = ("09:00", "17:00")
    template: str = "outage-update"
    brief_template: str = "daily-brief"
    brief_after_hours: float = Field(default=24, gt=0)

    @checked(*(circle.value for circle in Circle))
    @classmethod
    def _six_lengths(cls, rows: Rows, info: ValidationInfo) -> Rows:
        for severity, row in rows.items():
            if len(row) != len(STAGES):
                raise ValueError(f"{severity} needs {len(STAGES)} lengths: {', '.join(STAGES)}")
            if wrong := [one for one in row if one != ON_CHANGE and length(one) is None]:
                raise ValueError(f"{wrong[0]!r} is no length of time, such as 20m, 1h, 7d, or - for none")
        return DEFAULTS[Circle(str(info.field_name))] | rows

    @checked("fixed_hours")
    @classmethod
    def _clock_times(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [hour for hour in hours if not _CLOCK.fullmatch(hour)]:
            raise ValueError(f"{wrong[0]!r} is no time of day, such as 09:00")
        return tuple(sorted(hours))

    def row(self, circle: Circle, severity: Severity) -> tuple[timedelta | None, ...]:
        """The six lengths of one circle at one severity."""
        own: dict[Circle, Rows] = {
            Circle.CUSTOMERS: self.customers,
            Circle.EMPLOYEES: self.employees,
            Circle.SUPPLIERS: self.suppliers,
            Circle.PRESS: self.press,
            Circle.EXECUTIVES: self.executives,
        }
        return tuple(length(one) for one in own[circle][severity])


class Reminders(Block):
    """When we are nudged about a promise: at a share of its interval, at its time, and so many minutes after it."""

    early: float = Field(default=0.75, gt=0, lt=1)
    late_minutes: tuple[int, ...] = (5, 15, 30)
    longest_snooze_minutes: int = Field(default=60, ge=1)
    quiet: str = ""

    @checked("quiet")
    @classmethod
    def _two_clock_times(cls, text: str) -> str:
        begins, _, ends = (word.strip() for word in text.partition("-"))
        if text and (not _CLOCK.fullmatch(begins) or not _CLOCK.fullmatch(ends) or begins == ends):
            raise ValueError(f"{text!r} are no hours, such as 22:00-07:00")
        return text

    def quiet_hours(self) -> tuple[time, time]:
        """When they begin and end, by the local clock; only where `quiet` names them."""
        begins, _, ends = self.quiet.partition("-")
        return time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip())

    @checked("late_minutes", mode="before")
    @classmethod
    def _as_numbers(cls, given: object) -> object:
        return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else given

    @checked("late_minutes")
    @classmethod
    def _rising(cls, minutes: tuple[int, ...]) -> tuple[int, ...]:
        if list(minutes) != sorted(set(minutes)) or (minutes and minutes[0] < 1):
            raise ValueError("must rise, like 5, 15, 30")
        return minutes


class Duties(Block):
    """What regulators must hear, counted from the moment we knew. Days may be business days: `4bd`."""

    gdpr: str = "72h"
    nis2_warning: str = "24h"
    nis2_notice: str = "72h"
    nis2_final: str = "30d"
    dora: str = "4h"
    sec: str = "4bd"
    california: str = "30d"
    california_ag: str = "15d"
    holidays: Words = ()

    @checked("gdpr", "nis2_warning", "nis2_notice", "nis2_final", "dora", "sec", "california", "california_ag")
    @classmethod
    def _a_length(cls, text: str) -> str:
        if length(text) is None and not business_days(text):
            raise ValueError(f"{text!r} is no length of time, such as 72h, 30d or 4bd")
        return text

    def all(self) -> dict[str, str]:
        """Every duty with its length."""
        return {
            "gdpr": self.gdpr,
            "nis2_warning": self.nis2_warning,
            "nis2_notice": self.nis2_notice,
            "nis2_final": self.nis2_final,
            "dora": self.dora,
            "sec": self.sec,
            "california": self.california,
            "california_ag": self.california_ag,
        }
