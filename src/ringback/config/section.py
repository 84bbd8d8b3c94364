"""`Section`: the base of all sections of a configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """A table of `ringback.toml`; unknown keys are mistakes, and no error has the value."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )
