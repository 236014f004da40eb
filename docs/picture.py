"""Makes the picture of the README from a terminal's screen, as tmux prints it:

tmux capture-pane -e -p | python docs/picture.py docs/demo.svg
"""

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_COLOURS = [
    (30, 34, 42), (224, 108, 117), (126, 198, 99), (229, 192, 123), (97, 175, 239), (198, 120, 221), (86, 182, 194),
    (220, 223, 228),
]  # fmt: skip
_THEME = TerminalTheme((30, 34, 42), (220, 223, 228), _COLOURS, _COLOURS)
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


def picture(screen: str) -> str:
    """The screen as an SVG that loads nothing from anywhere."""
    lines = Text.from_ansi(screen.rstrip()).split("\n")
    console = Console(record=True, width=max(line.cell_len for line in lines) + 1, file=StringIO())
    for line in lines:
        console.print(line, soft_wrap=True)
    drawn = console.export_svg(title="dispatcher demo", theme=_THEME)
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"font-family: [^;]+;", f"font-family: {_FONT};", drawn)
    return re.sub(r"(?m)[ \t]+$", "", drawn)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(sys.stdin.read()), encoding="utf-8")
