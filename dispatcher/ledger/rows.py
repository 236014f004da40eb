"""Rows as the ledger gives them: tuples whose columns are attributes as well."""

from collections import namedtuple
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T", covariant=True)


class Row(tuple[T, ...]):
    """One row; a column that has no usable name is called `_0`, `_1`, … by its place."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def as_dict(self) -> dict[str, T]:
        """The row by names of columns."""
        return dict(zip(self._fields, self, strict=True))


@lru_cache(maxsize=1024)
def row_type(names: tuple[str, ...]) -> type[Row[Any]]:
    """The class of rows with these columns. Its attributes are those of a named tuple: as quick, and not to be set."""
    shape: Any = namedtuple("shape", names, rename=True)  # type: ignore[misc]  # the names come with the result
    fields: tuple[str, ...] = shape._fields
    places = {name: getattr(shape, name) for name in fields}
    return type("Row", (Row,), {"__slots__": (), "_fields": fields, **places})
