"""YAML from outside: the safe subset, with a bound on what a few bytes can grow into."""

from typing import Any

import yaml

MOST_ALIASES = 16
"""Uses of `*name` in one text: enough for people, too few to multiply a text into gigabytes."""
MOST_DEPTH = 64
"""Of lists and mappings in each other: PyYAML takes time by the square of it."""


class BoundedLoader(yaml.SafeLoader):
    """SafeLoader that refuses a text which repeats itself without end."""

    _aliases = _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As PyYAML, counting."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"nested more than {MOST_DEPTH} deep", mark)
        if self.check_event(yaml.events.AliasEvent):
            self._aliases += 1
            if self._aliases > MOST_ALIASES:
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise yaml.composer.ComposerError(None, None, f"more than {MOST_ALIASES} aliases", mark)
        made = super().compose_node(parent, index)
        self._depth -= 1
        return made


def parsed_yaml(text: str | bytes, loader: type[BoundedLoader] = BoundedLoader) -> Any:
    """What a YAML text says. ValueError: it is none, or grows or nests beyond sense."""
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (TypeError, AttributeError, OverflowError) as error:  # a list as a key, a date out of range
        raise ValueError(str(error)) from error
