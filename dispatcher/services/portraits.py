"""Where signatories' pictures lie: `signatories/KEY.png` or `.jpg` in the organisation's own folder of templates."""

import base64
import contextlib
import os
import re
import secrets
from pathlib import Path

from dispatcher.compose import pictures
from dispatcher.errors import ConfigurationError, NotFound, Refused
from dispatcher.model.person import Person
from dispatcher.model.rendition import Picture
from dispatcher.services import people
from dispatcher.services.context import Context
from dispatcher.settings import Settings

_ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg"}
_FOLDER = "signatories"
_KEY = re.compile(r"[\w-]{1,64}", re.ASCII)
"""What can be the name of a file anywhere."""


def of(settings: Settings, key: str) -> Picture | None:
    """The picture of whoever has that key in the directory; None without one, Refused (E-PIC) where it is unfit."""
    path = _found(settings, key)
    return None if path is None else _read(path)


def usable(settings: Settings, key: str) -> Picture | None:
    """The same, and none where it is unfit: a message does not wait for a picture. `doctor` and the check say so."""
    with contextlib.suppress(Refused):
        return of(settings, key)
    return None


def told(settings: Settings, key: str) -> str:
    """Its size in words, why it is not used, or nothing."""
    try:
        found = of(settings, key)
    except Refused as error:
        return f"not used: {error.what}"
    return "" if found is None else f"{found.kind.rpartition('/')[2]}, {found.width} by {found.height}"


def put(ctx: Context, actor: Person | None, key: str, file: Path) -> Path:
    """Keep a copy of the file as the picture of that signatory, if it is fit; the one before is replaced."""
    _require_manager(ctx, actor)
    _require_listed(ctx.settings, key)
    picture = _read(file)
    folder = _folder(ctx.settings)
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o755)  # whatever the umask of whoever puts it there: workers of another user read it
    path, new = folder / f"{key}{_ENDINGS[picture.kind]}", folder / f".{key}.{secrets.token_hex(4)}"
    new.write_bytes(base64.b64decode(picture.data))
    new.chmod(0o644)
    os.replace(new, path)
    _clear(ctx.settings, key, but=path)
    return path


def remove(ctx: Context, actor: Person | None, key: str) -> None:
    """That signatory signs without a picture."""
    _require_manager(ctx, actor)
    if not _clear(ctx.settings, key):
        raise NotFound(f"{key} has no picture.", mend="dispatcher person signatories")


def _require_manager(ctx: Context, actor: Person | None) -> None:
    with ctx.ledger.read() as tx:
        people.require_manager(tx, actor)


def _require_listed(settings: Settings, key: str) -> None:
    if key not in settings.signatories or not _KEY.fullmatch(key):
        raise NotFound(
            f"Nobody in the directory of signatories is called {key!r}.",
            why="A key is letters, digits, - and _.",
            mend="Write them into the settings first: [signatories.KEY]",
        )


def _folder(settings: Settings) -> Path:
    if settings.templates_dir is None:
        raise ConfigurationError(
            "There is no folder of your own for pictures.", mend='Set templates_dir = "templates" in the site file.'
        )
    return settings.templates_dir / _FOLDER


def _places(settings: Settings, key: str) -> list[Path]:
    if settings.templates_dir is None or not _KEY.fullmatch(key):
        return []
    return [settings.templates_dir / _FOLDER / f"{key}{ending}" for ending in (*_ENDINGS.values(), ".jpeg")]


def _found(settings: Settings, key: str) -> Path | None:
    try:
        return next((path for path in _places(settings, key) if path.is_file()), None)
    except OSError as error:
        what = f"The folder of pictures cannot be read: {error.strerror}."
        raise Refused(what, mend="Correct the folder's rights.", code="E-PIC") from None


def _clear(settings: Settings, key: str, *, but: Path | None = None) -> int:
    gone = [path for path in _places(settings, key) if path.is_file() and path != but]
    for path in gone:
        path.unlink()
    return len(gone)


def _read(path: Path) -> Picture:
    """Never more of the file than a picture may have."""
    try:
        with path.open("rb") as file:
            return pictures.read(file.read(pictures.LARGEST + 1))
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise Refused(what, mend="Correct the file's rights.", code="E-PIC") from None
    except Refused as error:
        raise Refused(f"{path}: {error.what}", why=error.why, mend=error.mend, code=error.code) from None
