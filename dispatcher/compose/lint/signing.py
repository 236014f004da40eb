"""Whose name stands under a message."""

from collections.abc import Iterable

from dispatcher.compose.lint.rules import Case, Hit, Weight, rule

_SIGNED = ("email", "letter", "press")


@rule(
    "L38", Weight.BLOCK, "The name under the message is not senior enough, or not in the directory.",
    why="People want to see that the head of the house takes it seriously, and a name nobody knows looks forged.",
    mend="Let somebody sign who may: --signatory NAME; dispatcher person signatories shows who that is.",
    source="NCSC, effective communications in a cyber incident",
)  # fmt: skip
def senior(case: Case) -> Iterable[Hit]:
    """Where there is a directory, whoever signs stands in it, at the level that template and severity demand."""
    signature = case.brief.signature
    passage = next((one for one in case.of(*_SIGNED) if one.part != "subject"), None)
    if signature is None or passage is None:
        return
    if signature.level is None:
        yield Hit(passage, 0, signature.name, f"{signature.name} is not in the directory of signatories.")
    elif not signature.level.covers(signature.needed):
        told = f"{signature.name} signs at level {signature.level}; this message needs {signature.needed}."
        yield Hit(passage, 0, signature.name, told)
