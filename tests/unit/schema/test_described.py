"""What stands under an attribute of a file model is its description in the JSON Schema, as pydantic itself reads it."""

from __future__ import annotations

from pydantic import ConfigDict, Field, TypeAdapter

from harness.schema.fields import Model


class Plain(Model):
    model_config = ConfigDict(use_attribute_docstrings=True)  # the judge: pydantic's own reading

    first: int = 1
    """The first.

    And more of it.
    """
    second: str
    third: Plain | None = None
    """One within."""
    on_trip: str = Field("x", alias="on")
    """By another name."""


class Ours(Model):
    first: int = 1
    """The first.

    And more of it.
    """
    second: str
    third: Ours | None = None
    """One within."""
    on_trip: str = Field("x", alias="on")
    """By another name."""


class Narrower(Ours):
    first: int = 2
    second: str = "said here only"
    """Said here only."""


def texts(schema, name):
    found = schema.get("$defs", {}).get(name, schema)["properties"]
    return {key: part.get("description") for key, part in found.items()}


def test_a_schema_has_the_texts_that_pydantic_finds():
    expected = {
        "first": "The first.\n\nAnd more of it.",
        "second": None,
        "third": "One within.",
        "on": "By another name.",
    }
    for mode in ("validation", "serialization"):
        assert texts(Plain.model_json_schema(mode=mode), "Plain") == expected
        assert texts(Ours.model_json_schema(mode=mode), "Ours") == expected
        assert texts(TypeAdapter(list[Ours]).json_schema(mode=mode), "Ours") == expected


def test_a_field_is_described_where_it_is_annotated_last():
    own = texts(Narrower.model_json_schema(), "Narrower")
    assert own == {"first": None, "second": "Said here only.", "third": "One within.", "on": "By another name."}


def test_a_class_without_source_has_no_texts():
    space = {"__name__": "nowhere"}
    exec("from harness.schema.fields import Model\nclass Made(Model):\n    one: int = 1\n    'Unseen.'", space)
    assert texts(space["Made"].model_json_schema(), "Made") == {"one": None}
