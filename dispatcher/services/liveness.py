"""Whether workers get anywhere, by the ledger's own word: for whoever watches over the processes."""

from dispatcher.ledger import controls, events, meta
from dispatcher.model.clock import to_ms
from dispatcher.services.context import Context
from dispatcher.services.dispatch import lateness_ms


class Progress:
    """Ask it now and then: False if something has been due since the last time and nothing was begun meanwhile."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._mark: tuple[int, int] | None = None

    def __call__(self) -> bool:
        """Whether something was begun since the last call, or nothing waits."""
        former, self._mark = self._mark, self._look()
        return former is None or self._mark is None or self._mark != former

    def _look(self) -> tuple[int, int] | None:
        """How far attempts and applied posts have come; None while nothing waits."""
        now, lease = to_ms(self._ctx.clock.now()), self._ctx.settings.dispatch.lease_seconds * 1000
        with self._ctx.ledger.read() as tx:
            waits = controls.due_channels(tx, now, now - lateness_ms(self._ctx)) or events.anything_new(tx, now, lease)
            return (meta.last_attempt(tx), events.oldest(tx)) if waits and meta.get(tx, "hold") is None else None
