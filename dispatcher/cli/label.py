"""The label of a broadcast's mode, the same wherever a command shows one."""

from dispatcher.cli.screen import badge
from dispatcher.cli.session import Session


def label(session: Session, mode: str, ref: str) -> str:
    """The mode; a live broadcast whose vendors are on this machine says so."""
    from dispatcher.services import accounting

    return badge(mode, test_endpoint=bool(accounting.test_endpoints(session.ctx, ref)))
