"""A run on disk, and the one sink through which all text leaves the process.

- `sink`: `SINK`, which removes what may never be written down; `CleanText`, which it alone makes;
- `files`: writing into a run's directory, whole or line by line, and what happens when a disk is full;
- `streams`: standard output, standard error and logs behind the sink.

Nothing else in Ringback opens a file for writing, prints, or makes a console: a test holds it.
"""

from __future__ import annotations

from ringback.rundir.files import LineFile, make_room, reserve_room, write_whole
from ringback.rundir.sink import SINK, CleanText, Redacting
from ringback.rundir.streams import CleaningStream, complain, put_output_behind_sink

__all__ = [
    "SINK",
    "CleanText",
    "CleaningStream",
    "LineFile",
    "Redacting",
    "complain",
    "make_room",
    "put_output_behind_sink",
    "reserve_room",
    "write_whole",
]
