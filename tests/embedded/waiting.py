"""Waiting for real processes without sleeping longer than needed."""

import time

import psutil


def until(condition, within=30.0, every=0.02):
    """The first true value of `condition`; the last false one when the time is up."""
    end = time.monotonic() + within
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(every)
    return value


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def gone(pid, within=30.0):
    """Whether the process ends in time; a zombie waits for its parent only."""
    return until(lambda: is_gone(pid), within)
