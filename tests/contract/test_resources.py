"""Shipped files are found in a wheel's package first, in the checkout otherwise, and missed plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback import resources

FINDERS = {
    "openapi.yaml": resources.openapi_path,
    "contract_tests": resources.contract_tests_path,
    "load": resources.load_path,
}


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    shipped, checkout = tmp_path / "shipped", tmp_path / "checkout"
    monkeypatch.setattr(resources, "_SHIPPED", shipped)
    monkeypatch.setattr(resources, "_CHECKOUT", checkout)
    return shipped, checkout


@pytest.mark.parametrize("name", FINDERS)
def test_the_shipped_one_is_preferred_to_the_checkouts(name: str, roots: tuple[Path, Path]) -> None:
    shipped, checkout = (root / name for root in roots)
    checkout.mkdir(parents=True)
    assert FINDERS[name]() == checkout
    shipped.mkdir(parents=True)
    assert FINDERS[name]() == shipped


@pytest.mark.usefixtures("roots")
@pytest.mark.parametrize("name", FINDERS)
def test_a_missing_one_says_what_to_do(name: str) -> None:
    with pytest.raises(resources.ResourceMissing, match=f"{name} is neither in .*: reinstall ringback"):
        FINDERS[name]()


@pytest.mark.parametrize("name", FINDERS)
def test_this_installation_has_them(name: str) -> None:
    assert FINDERS[name]().exists()
