"""A run on disk, and the one sink through which all text leaves the process.

- `sink`: `SINK`, which removes secrets, and `CleanText`, which only it makes;
- `files`: writing into a run's directory, in one step or line by line, also on a full disk;
- `streams`: standard output, standard error and logs behind the sink;
- `run`: the facts of a run, from which reports are made;
- `names`: the names of the files in a run's directory;
- `verdict`, `exchanges`, `windows`: typed readers of those files, which tolerate what they don't understand; `reading`:
  what they share.

A test ensures that nothing else in Ringback opens a file for writing, prints or makes a console.
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
