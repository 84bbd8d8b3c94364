"""Files of a run: written in one step, records in whole lines, and reserved disk space."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringback.rundir import SINK, LineFile, make_room, reserve_room, write_whole
from ringback.rundir import files as module

LINE = SINK.clean("x" * 99)


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert write_whole(path, SINK.clean("one")) == path
    write_whole(path, SINK.clean("tw\ud800o"))
    assert path.read_text() == "tw\\ud800o"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_whole(tmp_path / "file", SINK.clean("before"))

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, SINK.clean("after"))
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


class Disk(io.RawIOBase):
    """A file on a disk that is full after so many bytes; a write takes at most 40 of them."""

    def __init__(self, path: Path, room: int, code: int) -> None:
        super().__init__()
        self._file = path.open("ab", buffering=0)
        self._room, self._code = room, code

    def fileno(self) -> int:
        return self._file.fileno()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self._room:
            raise OSError(self._code, "no room")
        taken = self._file.write(bytes(data)[: min(self._room, 40)])
        self._room -= taken
        return taken

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def close(self) -> None:
        self._file.close()
        super().close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("room", [0, 1, 99, 100, 101, 250, 399])
def test_a_record_on_a_full_disk_ends_in_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, code: int
) -> None:
    path = tmp_path / "record.ndjson"
    opened = Path.open

    def small(self: Path, *arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(Path, "open", opened)
        return Disk(self, room, code)

    monkeypatch.setattr(Path, "open", small)
    record = LineFile(path)
    assert record.trouble is None
    for _ in range(5):
        record.append(LINE)
    assert path.read_text() == f"{LINE}\n" * (room // 100)
    assert record.trouble == "record.ndjson ends early: no room"
    record.close()


def test_a_record_that_cannot_be_opened_says_so_and_takes_lines_all_the_same(tmp_path: Path) -> None:
    record = LineFile(tmp_path / "nowhere" / "record.ndjson")
    record.append(LINE)
    record.close()
    assert record.trouble == "record.ndjson ends early: No such file or directory"


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    record = LineFile(tmp_path / "record")
    texts = [SINK.clean(letter * 5_000) for letter in "abcd"]

    def write(text: Any) -> None:
        for _ in range(20):
            record.append(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record.close()
    record.append(texts[0])
    lines = (tmp_path / "record").read_text().splitlines()
    assert sorted(lines) == sorted(str(text) for text in texts for _ in range(20))


def test_space_is_reserved_and_freed(tmp_path: Path) -> None:
    reserve_room(tmp_path)
    held = module._held[tmp_path]
    assert os.fstat(held.fileno()).st_size == module._RESERVED
    assert not list(tmp_path.iterdir()), "a killed run would leave it"
    make_room(tmp_path)
    make_room(tmp_path)
    assert held.closed


@pytest.mark.parametrize("keep", [reserve_room, make_room])
def test_missing_space_does_not_stop_the_run(tmp_path: Path, keep: Callable[[Path], None]) -> None:
    keep(tmp_path / "nowhere")
