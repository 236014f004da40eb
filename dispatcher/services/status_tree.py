"""The public tree of files: made for the web, and written to disk so that it lives when we do not."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import Refused
from dispatcher.log import get
from dispatcher.reporting.public import tree, words
from dispatcher.reporting.public.pages import Pages
from dispatcher.reporting.public.publication import Publication, Publisher, Sent
from dispatcher.reporting.public.words import Words
from dispatcher.services import publishing
from dispatcher.services.context import Context

KEPT = 2
"""Trees kept on disk: the one in use and the one before it, which somebody may still be reading."""
EVERY_SECONDS = 5
ABANDONED_SECONDS = 3600.0
"""After this a half-written tree belongs to a process that is gone."""

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Exported:
    """A tree on disk. `changed`: it was not there before."""

    folder: Path
    digest: str
    files: int
    changed: bool


def files(ctx: Context, publication: Publication) -> dict[str, bytes]:
    """The tree of files for a publication, by their paths."""
    return tree.files(publication, ctx.settings.templates_dir)


def kind(path: str) -> str:
    """The content type of a file of the tree."""
    return tree.kind(path)


def policy(ctx: Context, publication: Publication) -> str:
    """The content security policy under which its pages are shown."""
    return _pages(publication.publisher, ctx.settings.templates_dir).policy


def languages(ctx: Context) -> Mapping[str, Words]:
    """The languages in which we have words for pages, our own first."""
    told = ctx.settings.organisation
    return words.load(told.locale, told.time_zone, ctx.settings.templates_dir)


def in_language(ctx: Context, path: str, accepted: str, there: Container[str]) -> str:
    """The path of the page in the reader's language, where the name leaves it open and there is one."""
    spoken = words.chosen(languages(ctx), accepted)
    wanted = spoken.file(path.removesuffix(".html"))
    return wanted if path.endswith(".html") and wanted in there else path


def verify_page(ctx: Context, found: Sent | None, accepted: str) -> tuple[str, str, str]:
    """The answer about a code in the reader's language: the page, its language and its policy."""
    made, spoken = _plain(ctx, accepted)
    return made.verified(found, spoken, root=_root(ctx), stem=""), spoken.language, made.policy


def ask_page(ctx: Context, accepted: str) -> tuple[str, str, str]:
    """The page that asks for a code."""
    made, spoken = _plain(ctx, accepted)
    return made.asked(spoken, root=_root(ctx)), spoken.language, made.policy


def _plain(ctx: Context, accepted: str) -> tuple[Pages, Words]:
    spoken = words.chosen(languages(ctx), accepted)
    return _pages(publishing.publisher(ctx), ctx.settings.templates_dir), spoken


def _root(ctx: Context) -> str:
    return f"{publishing.publisher(ctx).url}/"


def _pages(publisher: Publisher, operator: Path | None) -> Pages:
    return Pages(publisher, words.load(publisher.locale, publisher.zone, operator), operator)


def export(ctx: Context, folder: Path) -> Exported:
    """Write the tree so that `folder` shows all of it or the one before it, never a half: it is a link that is turned.

    Done again without news it changes nothing. Raises Refused where a folder of somebody else's is in the way.
    """
    made = files(ctx, publishing.gather(ctx))
    digest = tree.digest(made)
    folder = folder.absolute()
    whole = folder.with_name(f".{folder.name}-{digest[:16]}")
    if folder.is_symlink() and folder.readlink().name == whole.name and whole.is_dir():
        return Exported(folder, digest, len(made), changed=False)
    _require_ours(folder)
    if not whole.is_dir():
        _write_whole(whole, made, before=folder)
    _turn(folder, whole)
    _forget(folder, whole, ctx.clock.now().timestamp() - ABANDONED_SECONDS)
    return Exported(folder, digest, len(made), changed=True)


def _require_ours(folder: Path) -> None:
    if folder.is_symlink() or not folder.exists():
        return
    try:
        folder.rmdir()  # an empty one, made beforehand, gives way
    except OSError:
        raise Refused(
            f"{folder} is a folder with other things in it.",
            why="The tree is put there as a link, which is turned from one whole tree to the next.",
            mend="Name a folder that does not exist yet.",
        ) from None


def _write_whole(whole: Path, made: Mapping[str, bytes], before: Path) -> None:
    """Every file on the disk, then the folder under its name. What did not change is shared with the tree before."""
    part = whole.with_name(f"{whole.name}.{secrets.token_hex(4)}")
    try:
        for path, content in made.items():
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(target, content, before / path)
        with contextlib.suppress(FileExistsError):  # somebody else wrote the same tree meanwhile
            _rename_new(part, whole)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(target: Path, content: bytes, before: Path) -> None:
    if before.is_file() and before.read_bytes() == content:
        with contextlib.suppress(OSError):  # a file system without hard links
            os.link(before, target)
            return
    with target.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _rename_new(part: Path, whole: Path) -> None:
    """A folder is never renamed onto one that has anything in it; the system says so in one of two ways."""
    try:
        part.rename(whole)
    except OSError:
        if not whole.is_dir():
            raise
        raise FileExistsError(whole) from None


def _turn(folder: Path, whole: Path) -> None:
    link = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    link.symlink_to(whole.name, target_is_directory=True)
    os.replace(link, folder)


def _forget(folder: Path, whole: Path, abandoned: float) -> None:
    """Older trees of ours beside the folder, but for the one before this; and what a dead process left half done."""
    name = re.compile(re.escape(f".{folder.name}-") + r"[0-9a-f]{16}(\.[0-9a-f]{8})?")
    others = [path for path in folder.parent.iterdir() if name.fullmatch(path.name) and path != whole]
    born = {path: path.stat().st_mtime for path in others if path.is_dir()}
    trees = sorted((path for path in born if not _is_part(path)), key=lambda path: -born[path])
    parts = [path for path in born if _is_part(path) and born[path] < abandoned]
    for path in [*trees[KEPT - 1 :], *parts]:
        shutil.rmtree(path, ignore_errors=True)


def _is_part(path: Path) -> bool:
    return re.search(r"-[0-9a-f]{16}\.[0-9a-f]{8}$", path.name) is not None


def publish_if_due(ctx: Context, now: int) -> None:
    """Keep the folder of the settings up to date, if there is one. The tick calls it; `now` in milliseconds."""
    folder = ctx.settings.status.folder
    if folder is None or now // 1000 % EVERY_SECONDS:
        return
    try:
        done = export(ctx, folder)
    except (OSError, Refused) as error:
        log.error("status_not_written", error=type(error).__name__)
        return
    if done.changed:
        log.info("status_written", files=done.files, digest=done.digest[:12])
