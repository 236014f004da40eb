"""Settings: one tree in layers. This package is the only reader of the environment.

Layers, the lower ones first: built-in defaults, `config/default.toml`, the site's own TOML, secret files, variables
called `DISPATCHER_*` (`__` between levels), flags of the command line. The site's file is the one that
DISPATCHER_CONFIG names, else ./dispatcher.toml, else ./config/site.toml, else dispatcher/dispatcher.toml under the XDG
configuration folder; relative folders in it are relative to it. An empty variable counts as unset; one that ends in
`_FILE` and would hold a secret names a file. Provider blocks stay as they were written until each provider's own model
reads them, and are shown by name only.

`Settings`, the checked tree, loads Pydantic and builds every table; a command that only looks reads `outline` instead.
"""

from typing import TYPE_CHECKING, Any

from dispatcher.settings.layers import variable

if TYPE_CHECKING:
    from dispatcher.settings.tree import SOURCE as SOURCE
    from dispatcher.settings.tree import Origin as Origin
    from dispatcher.settings.tree import Settings as Settings

__all__ = ["SOURCE", "Origin", "Settings", "variable"]


def __getattr__(name: str) -> Any:
    """The checked tree, loaded when it is first named."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dispatcher.settings import tree

    return getattr(tree, name)
