"""What the tick looks at: only what still has work."""

import pytest

from dispatcher.ledger import broadcasts, controls, sweeps
from dispatcher.model.clock import to_ms
from tests.services.test_dispatch import _email
from tests.services.test_dispatch import world as world


@pytest.mark.parametrize("end", ["stopped", "expired"])
def test_what_has_ended_is_work_for_no_later_tick(world, end):
    _, made = _email(world, 10)
    with world.ctx.ledger.write() as tx:
        controls.move(tx, made, end, to_ms(world.clock.now()))
        broadcasts.change(tx, made, state=end)
    with world.ctx.ledger.read() as tx:
        assert sweeps.finished(tx) == []
