"""The section of a recipe that says where the run is published."""

import re

from pydantic import Field, field_validator

from nybble.recipe.part import Part


class PublishPart(Part):
    """Where the run is pushed on the Hub while it trains and when it ends."""

    hub: str | None = Field(None, description="repository as owner/name, made where it is not")
    private: bool = Field(True, description="false: everybody may see it")
    every_save: bool = Field(True, description="push every checkpoint; false: only the end")

    @field_validator("hub")
    @classmethod
    def _owner_and_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", value, re.ASCII):
            raise ValueError("must be the name of a repository, as owner/name")
        return value
