"""What takes settings and recipes from one version of okng to the next.

A key that is renamed, split or given another meaning costs one step here and one more in `VERSION` beside the model
(`settings.py`, `inspect/recipe.py`). A key that is new and has a default costs nothing. A step is never edited once
released. So far no key of a released okng has changed its name or meaning: there is version 1 only, and no step.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """From one version to the next."""

    about: str
    """What is changed and why, for who reads what `okng settings migrate` says."""
    change: Callable[[str], str]
    """The text of a file to that of the next version; `version` itself is not its business. Comments and order stay, as
    `workshop.settings_text.changed_text` keeps them. Raises BadSettings for what cannot be carried over."""


SETTINGS_STEPS: tuple[Step, ...] = ()
"""From version n to n + 1, for n = 1, 2, ..."""
RECIPE_STEPS: tuple[Step, ...] = ()
"""The same for recipes."""
