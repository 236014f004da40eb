"""Errors that people see: what, why, mend, a stable code and the exit code of the command line.

DispatcherError
├── UsageError            2  the words of the call are off
├── ConfigurationError    3  settings, accounts, environment
├── Refused               4  a check says no: message, audience, template, state
│   ├── TemplateError        a template or its facts
│   ├── AudienceError        an import or a selection
│   └── IllegalTransition    the noun is not in a state that allows this
├── NotPermitted          5  approval missing, or this person may not
├── ConfirmationWrong     6  the typed size does not match
├── SomeNotReached        7  done, some people not reached
├── NothingSent           8  queue or provider down, nothing went out
├── Stopped               9  stopped by a person
├── TooLate              10  expired
├── BadSignature             an inbound request that is not the vendor's
├── LedgerHeld            8  the ledger is behind its anchor and sends nothing
└── WaitTimedOut        124  `--wait` ran out
"""

from collections.abc import Sequence
from typing import ClassVar


class DispatcherError(Exception):
    """`what` happened, `why`, and how to mend it; `code` is stable and documented."""

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "E-BUG"

    def __init__(self, what: str, *, why: str = "", mend: str | Sequence[str] = (), code: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.mend = (mend,) if isinstance(mend, str) else tuple(mend)
        self.code = code or self.default_code

    def as_dict(self) -> dict[str, object]:
        """The JSON envelope of an error."""
        return {"code": self.code, "what": self.what, "why": self.why, "mend": list(self.mend)}


class Fault(Exception):
    """A part that we stand on failed; no refusal of ours, so nobody may take it for one. Its words hold no address of
    anybody and no secret. `transient`: busy or away, the same work may be tried again from its start."""

    transient: bool = False


class UsageError(DispatcherError):
    exit_code, default_code = 2, "E-USE"


class ConfigurationError(DispatcherError):
    exit_code, default_code = 3, "E-CFG"


class Refused(DispatcherError):
    exit_code, default_code = 4, "E-REF"


class TemplateError(Refused):
    default_code = "E-TPL"


class AudienceError(Refused):
    default_code = "E-AUD"


class IllegalTransition(Refused):
    default_code = "E-STA"


class NotFound(Refused):
    default_code = "E-NOF"


class NotPermitted(DispatcherError):
    exit_code, default_code = 5, "E-APP"


class ConfirmationWrong(DispatcherError):
    exit_code, default_code = 6, "E-CON"


class SomeNotReached(DispatcherError):
    exit_code, default_code = 7, "E-PART"


class NothingSent(DispatcherError):
    exit_code, default_code = 8, "E-NONE"


class LedgerHeld(NothingSent):
    default_code = "E-HOLD"


class Stopped(DispatcherError):
    exit_code, default_code = 9, "E-STOP"


class TooLate(DispatcherError):
    exit_code, default_code = 10, "E-LATE"


class WaitTimedOut(DispatcherError):
    exit_code, default_code = 124, "E-WAIT"


class BadSignature(DispatcherError):
    """An inbound request that its vendor did not sign, or signed too long ago."""

    default_code = "E-SIG"
