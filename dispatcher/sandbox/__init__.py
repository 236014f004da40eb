"""Pretend vendors on loopback: they speak the vendors' wire, judge what they get, and send signed events back.

`Sandbox(SandboxConfig())` runs on an event loop, `running(...)` in a thread, `python -m dispatcher.sandbox` as a
process; `Control` stages faults from anywhere; `record` reads what really arrived.
"""
