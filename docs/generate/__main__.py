"""Writes the generated pages of `docs/`."""

from __future__ import annotations

from pathlib import Path

from docs.generate.pages import PAGES


def main() -> None:
    """Write every page."""
    for name, render in PAGES.items():
        (Path(__file__).parents[1] / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
