"""`dispatcher broadcast`: from a draft to the report."""

from dispatcher.cli.groups import ManyVerbs

command = ManyVerbs(
    "broadcast",
    help="Draft, check, approve, send and account for a message.",
    modules={
        "dispatcher.cli.broadcast_compose": ("draft", "edit", "check", "test", "submit"),
        "dispatcher.cli.broadcast_preview": ("preview",),
        "dispatcher.cli.broadcast_approve": ("approve", "return", "reject", "override", "break-glass", "review"),
        "dispatcher.cli.broadcast_run": ("send", "undo", "watch", "pause", "resume", "stop", "retry", "settle"),
        "dispatcher.cli.broadcast_waves": ("waves", "skip"),
        "dispatcher.cli.broadcast_follow": ("correct", "update", "reroute"),
        "dispatcher.cli.broadcast_read": ("list", "show", "missed", "report"),
        "dispatcher.cli.broadcast_export": ("export", "unseal"),
    },
)
"""By name rather than imported: who looks at a broadcast pays for no other verb."""
