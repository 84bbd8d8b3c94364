"""Compiles the deployments in Go and Java, and keeps what a program lists, once for each state of the sources."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["go", "jackson", "java", "listed"]

_BUILT = Path(__file__).parent / ".built"
_COMPILE_SECONDS = 240.0
_JARS = Path("/usr/share/java")
_JACKSON = tuple(_JARS / f"jackson-{part}.jar" for part in ("databind", "core", "annotations"))


def go(folder: Path) -> list[str]:
    """The command of a Go module. Raises RuntimeError with the compiler's message."""
    return [
        str(_built(folder, "*.go", lambda made: ["go", "build", "-o", str(made / "deployment"), "."]) / "deployment")
    ]


def java(folder: Path) -> list[str]:
    """The command of a Java program whose class is `Main`. Raises RuntimeError with the compiler's message."""
    sources = sorted(str(path) for path in folder.glob("*.java"))
    path = os.pathsep.join(map(str, _JACKSON))
    made = _built(folder, "*.java", lambda made: ["javac", "-cp", path, "-d", str(made), *sources])
    return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{made}{os.pathsep}{path}", "Main"]


def jackson() -> str | None:
    """Why Jackson cannot be used, or None if Debian's jars are installed."""
    absent = [jar.name for jar in _JACKSON if not jar.exists()]
    return f"{', '.join(absent)} not in {_JARS}" if absent else None


def listed(folder: Path, make: Callable[[], str]) -> str:
    """What a program lists, as `make` returned it for these sources: all test processes ask for it."""
    with _locked(f"{folder.name}.list"):
        kept = _BUILT / f"{folder.name}.{_digest(folder, '*')}.json"
        if not kept.is_file():
            text = make()
            for old in _BUILT.glob(f"{folder.name}.*.json"):
                old.unlink()
            kept.write_text(text, encoding="utf-8")
        return kept.read_text(encoding="utf-8")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Several processes may ask at once; the first one does the work."""
    _BUILT.mkdir(exist_ok=True)
    with (_BUILT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(folder: Path, sources: str) -> str:
    texts = (path.read_bytes() for path in sorted(folder.glob(sources)) if path.is_file())
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]


def _built(folder: Path, sources: str, compiler: Callable[[Path], list[str]]) -> Path:
    """The folder with the compiled program."""
    made = _BUILT / f"{folder.name}-{_digest(folder, sources)}"
    with _locked(folder.name):
        if not made.is_dir():
            for old in _BUILT.glob(f"{folder.name}-*"):
                shutil.rmtree(old)
            _compile(folder, made, compiler)
    return made


def _compile(folder: Path, made: Path, compiler: Callable[[Path], list[str]]) -> None:
    unfinished = made.with_name(f"unfinished-{made.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    done = subprocess.run(
        compiler(unfinished),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMPILE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{folder.name} does not compile: {done.stderr.strip()}")
    unfinished.rename(made)
