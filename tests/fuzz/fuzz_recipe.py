"""A recipe: YAML, with its anchors, tags, dates and odd numbers."""

from okng.bus.errors import BadRecipe
from okng.inspect.recipe import read_recipe

from .files import file_of, said_of

_BOMB = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123))


def seeds() -> list[bytes]:
    """A whole one, and YAML that grows, nests and means something else."""
    whole = b"""
format: 1
name: sim
revision: 3
regions:
  - {name: face, camera: top, roi: [0, 0, 64, 64], bundle: bundle, threshold: 0.5}
overkill_percent: 1.0
health: {reference: ref.json}
codes: []
"""
    odd = (
        b"a: 2001-13-45",
        b"? [a]\n: b",
        b"a: 0x_",
        b"a: 1:60:60",
        b"- " * 500,
        b"!!python/object:os.system x",
        b"<<: *x",
    )
    return [whole, _BOMB, b"[" * 3000, b"a: " + b"9" * 5000, *odd, b"%YAML 9.9\n---\n", b"a: !!binary x", b"a: .inf"]


def one(data: bytes) -> None:
    """Nothing but a complaint in words."""
    try:
        read_recipe(file_of("recipe.yaml", data))
    except BadRecipe as error:
        said_of("recipe.yaml", error)
