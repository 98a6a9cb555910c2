"""How the rows of a source are read, and one of several sources of training rows."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from nybble.recipe.part import Part

# The columns that formats know by name.
KNOWN_COLUMNS = (
    "text", "prompt", "completion", "instruction", "input", "output", "history", "system",
    "conversations", "messages", "tools",
)  # fmt: skip


def _known(columns: dict[str, str]) -> dict[str, str]:
    for name in columns:
        if name not in KNOWN_COLUMNS:
            raise ValueError(f"no format knows {name!r}; known: {', '.join(KNOWN_COLUMNS)}")
    return columns


RowFormat = Annotated[
    Literal["auto", "text", "prompt-completion", "alpaca", "sharegpt", "messages"],
    Field(description="how a row is read; auto looks at the columns of the first"),
]
Columns = Annotated[
    dict[str, str],
    AfterValidator(_known),
    Field(description="your names of columns that a format knows: {instruction: question}"),
]
Prompt = Annotated[str | None, Field(description="column, or template such as 'Task: {text}'")]
Completion = Annotated[str | None, Field(description="column, or template such as '{price:.0f}'")]
TestCompletion = Annotated[
    str | None, Field(description="of test rows, such as '{price}'; null: as data.completion")
]

_PAIR = ("prompt", "completion", "test_completion")
_TEMPLATES = {"auto": _PAIR, "prompt-completion": _PAIR, "text": ("completion",)}
_NOTHING_SAID: dict[str, Any] = {
    "format": "auto", "columns": {}, "prompt": None, "completion": None, "test_completion": None,
}  # fmt: skip


class Reading(Part):
    """A section that says how rows are read: no template may be given that is not looked at."""

    @model_validator(mode="after")
    def _templates_are_used(self) -> Self:
        said = {name: getattr(self, name) for name in _NOTHING_SAID}
        used = _TEMPLATES.get(said["format"], ())
        for name in ("completion", "prompt", "test_completion"):
            if said[name] is not None and name not in used:
                raise ValueError(
                    f"format {said['format']} does not look at {name}: leave {name} out, or say "
                    "format: prompt-completion"
                )
        return self


class TrainSource(Reading):
    """One of several sources. When it says nothing of how its rows are read, `data` does."""

    source: str = Field(min_length=1)
    weight: float = Field(1.0, gt=0)
    format: RowFormat = "auto"
    columns: Columns = Field({})
    prompt: Prompt = None
    completion: Completion = None
    test_completion: TestCompletion = None

    def reading(self) -> dict[str, Any]:
        """What it says of how its rows are read: everything, or nothing at all."""
        said = {name: getattr(self, name) for name in _NOTHING_SAID}
        return {} if said == _NOTHING_SAID else said
