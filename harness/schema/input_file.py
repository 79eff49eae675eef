"""A file that a parameter of a step names: beside the plan, checked as the plan is, kept in the record.

    class Topology(Params):
        wiring: InputFile[WiringPlan]

The project finds it, refuses what lies outside the plan's folder, checks it against its model and hashes it, all before
anything is contacted; the step then has `p.wiring.content`, a `WiringPlan`.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from harness.schema.document import Source
from harness.schema.fields import Model
from harness.schema.problems import Problem, shown

M = TypeVar("M", bound=Model)


class InFileError(ValueError):
    """What is wrong stands in the file that a step names, at a place of its own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class InputFile(Generic[M]):
    """The name of a file in the plan's folder and, once the project has loaded it, what stands in it."""

    __slots__ = ("_content", "_source", "model", "name")

    def __init__(self, name: str, model: type[M]) -> None:
        self.name = name
        self.model = model
        self._content: M | None = None
        self._source: Source | None = None

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputFile) and (other.name, other.model) == (self.name, self.model)

    def __hash__(self) -> int:
        return hash((self.name, self.model))

    def take(self, source: Source, content: M) -> None:
        """The project has loaded and checked it."""
        self._source, self._content = source, content

    @property
    def content(self) -> M:
        """What stands in the file. LookupError before the project has loaded it."""
        if self._content is None:
            raise LookupError(f"{self.name} has not been loaded")
        return self._content

    def wrong(self, message: str, *loc: str | int, hint: str = "", key: bool = False) -> InFileError:
        """An error to raise in `check_against`: what is wrong in the file, and at which of its keys."""
        if self._source is None:
            raise LookupError(f"{self.name} has not been loaded")
        return InFileError(self._source.problem(loc, "HX-1352", message, hint, key=key))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        (model,) = get_args(source)

        def named(value: Any) -> InputFile[Any]:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str) or not value.strip() or not value.isprintable():
                raise ValueError(f"expected the name of a file beside the plan, found {shown(value)}")
            return cls(value, model)

        return core_schema.no_info_plain_validator_function(
            named, serialization=core_schema.to_string_ser_schema(when_used="always")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "examples": ["wiring/rack.yaml"]}
