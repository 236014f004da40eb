"""Facts that are tables: which data was taken, and which services work where."""

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator

from dispatcher.compose.wording import Line
from dispatcher.model.fact import Place, ServiceState
from dispatcher.model.kinds import FactState

_CUT = re.compile(r"[,;\n]")
_DEFAULT_STATE: Mapping[str, FactState] = {Place.TAKEN: FactState.CONFIRMED, Place.CHECKING: FactState.UNKNOWN}


class Row(BaseModel):
    """One data type of a breach. `data` is one of DATA_TYPES, or a name in plain words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Line
    place: Place
    state: FactState
    note: Line | None = None

    @model_validator(mode="before")
    @classmethod
    def _say_how_sure(cls, given: object) -> object:
        """Taken and still checking need no second word. "Not taken" does: nobody may slip into it."""
        if not isinstance(given, dict) or given.get("state"):
            return given
        place = given.get("place")
        if place == Place.NOT_TAKEN:
            raise ValueError("is not taken, but how sure are we? Add confirmed, or say checking instead")
        state = _DEFAULT_STATE.get(str(place))
        return {**given, "state": state} if state else given


class Service(BaseModel):
    """How one service works now, in one region or everywhere. `name` is what customers call it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    state: ServiceState
    region: Line | None = None
    note: Line | None = None


def rows_of_words(words: str) -> list[dict[str, str]]:
    """`name:taken, payment_full:not_taken:confirmed, password_hash:checking`."""
    rows = []
    for item in filter(None, map(str.strip, _CUT.split(words))):
        data, *rest = map(str.strip, item.split(":"))
        if len(rest) not in (1, 2):
            raise ValueError(f"cannot be read at {item!r}: write data:place or data:place:state")
        rows.append({"data": data, "place": rest[0]} | ({"state": rest[1]} if rest[1:] else {}))
    return rows


def services_of_words(words: str) -> list[dict[str, str]]:
    """`online orders:down, click and collect@Scotland:degraded`."""
    services = []
    for item in filter(None, map(str.strip, _CUT.split(words))):
        place, colon, state = item.rpartition(":")
        name, at, region = place.partition("@")
        if not colon:
            raise ValueError(f"cannot be read at {item!r}: write service:state or service@region:state")
        services.append({"name": name.strip(), "state": state.strip()} | ({"region": region.strip()} if at else {}))
    return services
