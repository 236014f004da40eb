"""Each act of sabotage still finds what it takes away; that something notices it is shown by `make faults`."""

from collections import defaultdict

import pytest

from tests.faults.mutants import MUTANTS, ROOT

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_of_a_mutant_is_still_there(mutant):
    texts = defaultdict(str)
    for path, old, new in mutant.edits:
        texts[path] = texts[path] or (ROOT / path).read_text(encoding="utf-8")
        assert texts[path].count(old) == 1, f"{path} does not hold this once:\n{old}"
        texts[path] = texts[path].replace(old, new)
    if mutant.kills != "simulation":
        assert (ROOT / mutant.kills.split()[0]).is_file()
