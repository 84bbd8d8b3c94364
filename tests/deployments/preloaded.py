"""Imported by the process that checks are forked from: everything that a check would otherwise do each time."""

from tests.warm import warm

warm()
