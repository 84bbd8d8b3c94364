"""What all sections of a configuration have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Count", "Section", "not_a_boolean"]


def not_a_boolean(value: object) -> object:
    """The value; ValueError for true and false, which Python takes for numbers."""
    if isinstance(value, bool):
        raise ValueError("not a number; write digits")
    return value


Count = Annotated[int, BeforeValidator(not_a_boolean)]


class Section(BaseModel):
    """A section: frozen, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )
