"""What `okng ladder show` says."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table


def table(recipe: dict[str, Any]) -> Table:
    """The bundles of one recipe, the champion first."""
    made = Table(title=f"{recipe['recipe']} (job {recipe['job']})", title_justify="left")
    for head in ("bundle", "name", "stands at", "parts", "NG", "for days", "what is to be said"):
        made.add_column(head, justify="right" if head in ("parts", "NG", "for days") else "left")
    for one in recipe["bundles"]:
        marks = [word for word, on in (("last-good", one["last_good"]), ("factory", one["factory"])) if on]
        marks += [word for word in ("local", "locked", "held", "ticket") if one[word]]
        said = "; ".join(part for part in (", ".join(marks), one["reason"]) if part)
        name = f"{one['name']} {one['version']}".strip()
        figures = str(one["parts"]), str(one["ng"]), f"{one['days']:.1f}"
        made.add_row(one["bundle"][:12], name, one["rung"], *figures, said)
    return made


def lines(said: dict[str, Any]) -> Iterator[str]:
    """What else there is to say."""
    if said["stopped"]:
        yield f"stopped on this box: {said['stopped']}"
    for recipe in said["recipes"]:
        for words in (recipe["trouble"], recipe["waits"]):
            if words:
                yield f"{recipe['recipe']}: {words}"
    if said["expired"]:
        yield f"the channel has run out, what runs goes on: {said['why']}"
    elif said["why"]:
        yield f"nothing of what the service shows is taken, what runs goes on: {said['why']}"
    for words in said["advice"]:
        yield f"advice: {words}"
    if said["unsent"]:
        yield f"{said['unsent']} steps are not in the audit trail yet: records has not taken them"
