"""What one kind of rack needs of a plan: a file of values beside plans that serve several kinds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.schema.fields import Model, Name, StrictText


class SkuFile(Model):
    """Values of a plan's parameters for one stock-keeping unit; `harness run PLAN --parameters FILE` takes it."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    sku: StrictText
    """The kind of rack."""
    title: str = ""
    parameters: dict[Name, Any]
    """Parameter of the plan -> value. Its bounds hold all the same."""
