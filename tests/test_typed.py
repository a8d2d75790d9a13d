"""Threads that make the first values of one type at the same time: msgspec alone crashes the interpreter then."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own, as a crash takes all with it. A class is learnt once, so each round has new ones.
PROGRAM = """
import sys, threading, types
from preflight.text.typed import convert, decode

sys.setswitchinterval(1e-6)
SOURCE = '''
from __future__ import annotations
from msgspec import Struct

class Leaf(Struct):
    a: int = 0
    b: str = ""
    c: list[int] = []
    d: dict[str, int] = {}

class Branch(Struct):
    c: list[Leaf] = []
    d: Leaf | None = None
    e: dict[str, Leaf] = {}

class Tree(Struct):
    x: Branch
    y: list[Branch] = []
    z: str | None = None
'''
VALUE = {"x": {"c": [{"a": 1, "b": "x", "c": [1], "d": {"a": 1}}], "d": {"a": 2}}, "y": [{"d": {"a": 3}}]}
TEXT = b'{"x": {"c": [{"a": 1}], "d": {"a": 2}}, "y": [{"d": {"a": 3}}]}'
made = []

def work(start, how, document, shape):
    start.wait()
    made.append(how(document, shape).y[0].d.a)

for _ in range(400):
    module = sys.modules["forest"] = types.ModuleType("forest")
    exec(SOURCE, vars(module))
    start = threading.Barrier(4)
    tasks = [(convert, VALUE, module.Tree), (decode, TEXT, module.Tree)] * 2
    threads = [threading.Thread(target=work, args=(start, *task)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(len(made), set(made))
"""


def test_threads_may_make_the_first_values_of_a_type() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, "1600 {3}\n"), ran.stderr[-2000:]
