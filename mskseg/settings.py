"""Settings: frozen dataclasses whose values are checked against their types, by pydantic."""

import functools
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from mskseg.errors import InputError

_Class = TypeVar("_Class")
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)  # "3" is no 3, and no number is NaN


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
            expected = first["msg"].removeprefix("Input should be ")
            number = "a number " if expected.startswith("greater") else ""
            given = f"{'.'.join(map(str, first['loc']))} is {first['input']!r}"
            raise InputError(f"{given}, expected {number}{expected}") from error

    made.__init__ = checked
    kept: type[_Class] = made
    return kept
