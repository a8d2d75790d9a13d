"""Start the program: the script `preflight`, and `python -m preflight`."""

# Built into the interpreter: nothing is read from a disk, and no Ctrl-C comes in between, until the next lines ran.
import _signal  # type: ignore[import-not-found]  # signal itself loads enum, and that a dozen others
import posix


def _leave(number: int, _frame: object) -> None:
    posix._exit(128 + number)


# Ctrl-C while modules are imported ends the program without a word: there is nothing to print yet. A handler, not
# the kernel's own way: that does nothing to the first process of a container. Who ignores it (nohup) goes on to.
if _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _leave)

import gc
import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """Stand in for a module until somebody asks it for something: then it is imported, and answers itself.

    `importlib.util.LazyLoader` would not do: a second `import` asks its module for `__spec__`, which loads it, and
    click has three of them; and on Python 3.11 two threads may meet a module that is half loaded.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.__lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """Hand on what the module itself says."""
        with self.__lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return getattr(__import__(self.__name__), name)


def main() -> None:
    """Run the command line and end the process."""
    # Nothing that a check makes is worth collecting before it ends, and looking for it would cost 4 % of the run,
    # half of that while modules are imported. What goes on for longer, or reads far more, is collected as ever.
    gc.set_threshold(200_000)
    # click imports `inspect`, and with it half a compiler, for its help pages alone: 1 % of a whole check's processor
    # time, 3.5 % of a look at the ports.
    sys.modules.setdefault("inspect", Later("inspect"))
    from preflight.cli.commands import main as run

    run()


if __name__ == "__main__":
    main()
