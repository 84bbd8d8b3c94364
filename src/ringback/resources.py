"""Paths of the files that Ringback ships with its code: in a wheel under ``_shipped``, in a checkout at its root."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ResourceMissing", "contract_tests_path", "load_path", "openapi_path"]

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped"
_CHECKOUT = _PACKAGE.parent.parent


class ResourceMissing(FileNotFoundError):
    """A shipped file or folder is missing from the installed package and from the checkout."""


def openapi_path() -> Path:
    """Path of ``openapi.yaml``; raises :class:`ResourceMissing`."""
    return _find("openapi.yaml")


def contract_tests_path() -> Path:
    """Folder of the contract suite that pytest runs; raises :class:`ResourceMissing`."""
    return _find("contract_tests")


def load_path() -> Path:
    """Folder of the scenarios that Locust runs; raises :class:`ResourceMissing`."""
    return _find("load")


def _find(name: str) -> Path:
    for root in (_SHIPPED, _CHECKOUT):
        path = root / name
        if path.exists():
            return path
    raise ResourceMissing(
        f"{name} is neither in {_SHIPPED} nor in {_CHECKOUT}: reinstall ringback, or run it from a checkout"
    )
