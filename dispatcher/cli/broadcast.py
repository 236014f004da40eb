"""`dispatcher broadcast`: from a draft to the report."""

from dispatcher.cli import (
    broadcast_approve,
    broadcast_compose,
    broadcast_export,
    broadcast_follow,
    broadcast_preview,
    broadcast_read,
    broadcast_run,
    broadcast_waves,
)
from dispatcher.cli.groups import Noun

command = Noun(
    "broadcast",
    help="Draft, check, approve, send and account for a message.",
    commands=[
        *broadcast_compose.VERBS,
        *broadcast_preview.VERBS,
        *broadcast_approve.VERBS,
        *broadcast_run.VERBS,
        *broadcast_waves.VERBS,
        *broadcast_follow.VERBS,
        *broadcast_read.VERBS,
        *broadcast_export.VERBS,
    ],
)
