"""Settings: frozen dataclasses whose values are checked against their types, by pydantic."""

import functools
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from mskseg.errors import InputError

_Class = TypeVar("_Class")
# "3" is no 3, no number is NaN, and a misspelt name is an error.
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


@dataclass_transform(frozen_default=True)
def settings(cls: type[_Class]) -> type[_Class]:
    """Make a frozen dataclass; InputError, which names the field, for a value that does not fit."""
    made: Any = dataclass(cls, frozen=True, config=_STRICT)
    take = made.__init__

    @functools.wraps(take)
    def checked(self: Any, *values: Any, **named: Any) -> None:
        try:
            take(self, *values, **named)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "unexpected_keyword_argument":
                raise InputError(f"{cls.__name__} has no setting {name!r}") from error
            expected = first["msg"].removeprefix("Input should be ")
            number = "a number " if expected.startswith("greater") else ""
            raise InputError(
                f"{name} is {first['input']!r}, expected {number}{expected}"
            ) from error

    made.__init__ = checked
    kept: type[_Class] = made
    return kept
