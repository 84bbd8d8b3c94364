"""The detector finds no secrets in ordinary files, numbers and noise."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from .detector import find_secrets
from .spellings import LINE, PERSONAL, PLUS_LINE, TOKEN

ROOT = Path(__file__).parents[2]
FILES = [
    "README.md", "pyproject.toml", "openapi.yaml", "requirements.lock", "src/ringback/cli/app.py",
    "reports/example/report.html", "reports/example/verdict.json",
]  # fmt: skip


def found(data: bytes) -> list[str]:
    return [str(leak) for leak in find_secrets(data, TOKEN, [LINE, PLUS_LINE], PERSONAL)]


@pytest.mark.parametrize("name", FILES)
def test_ordinary_files(name: str) -> None:
    path = ROOT / name
    if not path.exists():
        pytest.skip("not part of this checkout")
    others = ("5558241973", "+4930998127")
    assert find_secrets(path.read_bytes(), TOKEN, others, ["16667778899", "Zelda Quux", "z.quux@example.net"]) == []


def test_noise() -> None:
    chance = random.Random(5)
    noise = chance.randbytes(300_000)
    assert not found(noise)
    assert not found(base64.b64encode(noise))
    assert not found(noise.hex().encode())


def test_numbers_and_records() -> None:
    chance = random.Random(6)
    lines = [json.dumps({"id": at, "at": at * 1.37, "x": chance.randbytes(16).hex()}) for at in range(5_000)]
    assert not found("\n".join(lines).encode())


def test_labels_are_no_secrets() -> None:
    assert not found(
        b"$RINGBACK_ACCESS_TOKEN $RINGBACK_LINES__ANSWERED <number> <name> <e-mail> <part of $RINGBACK_ACCESS_TOKEN>"
    )


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_file_in_any_encoding(codec: str) -> None:
    assert found(f"é ü\n the token is {TOKEN}, and so on\n".encode(codec))
