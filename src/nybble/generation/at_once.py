"""Several things under way at once, in threads that hold nothing up."""

import queue
from collections.abc import Callable, Generator, Sequence
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


def at_once(
    items: Sequence[Item], work: Callable[[Item, Event], Value], count: int
) -> Generator[tuple[Item, Value], None, None]:
    """Pairs of an item and what `work` makes of it, `count` under way at once, as each is done.

    The first error of any is raised. When that happens, or no more is wanted, nothing new is begun
    and the event that `work` gets is set; what is under way is not waited for, so that an interrupt
    ends at once whatever a server does.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    done: queue.SimpleQueue[tuple[Item, Value | None, BaseException | None]] = queue.SimpleQueue()
    halt = Event()

    def take() -> None:
        while not halt.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((item, work(item, halt), None))
            except BaseException as error:
                done.put((item, None, error))
                halt.set()

    workers = [Thread(target=take, daemon=True) for _ in range(min(count, len(items)))]
    try:
        for worker in workers:
            worker.start()
        for _ in items:
            item, value, error = done.get()
            if error is not None:
                raise error
            yield item, value  # type: ignore[misc]
        for worker in workers:
            worker.join()
    finally:
        halt.set()
