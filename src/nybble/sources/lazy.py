"""Sequences whose items are made when they are asked for."""

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, overload

Item = TypeVar("Item")


class Lazy(Sequence[Item]):
    """Items made by `read`; a slice is a list. Equal to any sequence of equal items."""

    @abstractmethod
    def read(self, index: int) -> Item:
        """The item at `index`, which is within the bounds."""

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        places = range(len(self))[index]
        return self.read(places) if isinstance(places, int) else [self.read(i) for i in places]

    def __iter__(self) -> Iterator[Item]:
        return map(self.read, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class View(Lazy[Item]):
    """The items of `base` at `indices` [items], in that order; an index may come repeatedly."""

    def __init__(self, base: Sequence[Item], indices: Iterable[int]) -> None:
        self.base = base
        self.indices = array("q", indices)

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Item:
        return self.base[self.indices[index]]
