from random import Random
from tests.differential.cases import Case
def random(draw: Random, seed: int) -> Case:
    raise NotImplementedError
