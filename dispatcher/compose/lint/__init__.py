"""Reads a composed broadcast as a careful colleague would, and says what must or should be mended.

`checking.lint` runs every rule. A rule is one small function in one of the themes (`leftovers`, `promises`, `links`,
`tone`, ...), registered with its id, weight, reason, source and mend. To add one, write the function in its theme and
its six texts in the tests.
"""
