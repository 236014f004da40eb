"""Arrays as text: whatever a column holds comes back as it was."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.ledger import arrays
from dispatcher.ledger.migrate import open_ledger
from dispatcher.model.states import DeliveryState

ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    ),
    min_size=1,
    max_size=20,
)
COLUMNS = {"number": "int", "word": "text"}


@pytest.fixture(scope="module")
def ledger(postgres_server):
    made = open_ledger(postgres_server.fresh())
    yield made
    made.close()


def _back(ledger, rows):
    with ledger.read() as tx:
        found = tx.all(f"SELECT * FROM {arrays.unnest(COLUMNS)}", **arrays.literals(COLUMNS, rows))
    return [(row.number, row.word) for row in found]


@pytest.mark.postgres
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_every_value_comes_back(ledger, rows):
    assert _back(ledger, rows) == rows


@pytest.mark.postgres
def test_what_looks_like_syntax_is_text(ledger):
    words = ["NULL", "null", "", " ", "{}", "{a,b}", 'say "no"', "back\\slash", "\\", "a,b", "'; DROP TABLE batch; --"]
    rows = list(enumerate(words))
    assert _back(ledger, rows) == rows


def test_an_enumeration_is_its_number_and_other_types_are_refused():
    assert arrays.literal("int", [DeliveryState.FAILED, None]) == f"{{{int(DeliveryState.FAILED)},NULL}}"
    with pytest.raises((TypeError, ValueError)):
        arrays.literal("int", ["1); DROP"])
