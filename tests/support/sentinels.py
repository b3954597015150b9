"""Types that notice when they are made from what was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel


@dataclass
class Sentinel:
    """Counts how often it is made."""

    made: ClassVar[int] = 0
    text: str = "safe"

    def __post_init__(self) -> None:
        Sentinel.made += 1


class Model(BaseModel):
    """The same, as pydantic makes them."""

    made: ClassVar[int] = 0
    text: str = "safe"

    def model_post_init(self, _: object) -> None:
        Model.made += 1
