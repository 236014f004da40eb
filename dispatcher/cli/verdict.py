"""What a finished broadcast means for the exit code: everybody, some, nobody, stopped, or too late."""

from dispatcher.cli.progress import View, sum_line
from dispatcher.cli.screen import number
from dispatcher.errors import NothingSent, SomeNotReached, Stopped, TooLate


def raise_verdict(view: View) -> None:
    """Return if everyone who should be told was told; raise what says otherwise."""
    ref, total = view["ref"], view["total"]
    why = sum_line(total)
    missed = sum(
        total.get(term, 0) for term in ("failed", "unknown", "expired", "cancelled", "held", "pending", "sending")
    )
    mend = f"dispatcher broadcast export {ref} --unreached"
    if view["state"] == "stopped":
        raise Stopped(f"{ref} was stopped.", why=why, mend=mend)
    if not missed:
        return
    if total["accepted"] + total["delivered"] == 0:
        if total["expired"]:
            raise TooLate(f"{ref} expired; nobody was told.", why=why, mend="Draft it again if it is still true.")
        raise NothingSent(
            f"Nothing of {ref} was sent.", why=why, mend=(f"dispatcher broadcast show {ref}", "dispatcher doctor")
        )
    raise SomeNotReached(f"{number(missed)} deliveries of {ref} did not reach anybody.", why=why, mend=mend)
