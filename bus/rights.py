"""Who may do what, as data: the rights there are, the roles a box comes with, and the right each command takes.

A role is a name and a set of rights; an administrator may change the matrix. No code asks for a role.
"""

from dataclasses import dataclass

RIGHTS: dict[str, str] = {
    "alarm.ack": "acknowledge alarms",
    "alarm.shelve": "shelve alarms, take them out of service, reset latched ones",
    "part.review": "see rejects and mark them reviewed",
    "part.label": "say whether a reject was a real defect",
    "part.escape": "report a defect that was found downstream",
    "part.export": "export parts and pictures",
    "inspection.run": "stop and start the inspection",
    "challenge.run": "run the challenge test",
    "challenge.sign": "sign a challenge test, release a product hold",
    "bypass.set": "declare a bypass and end it",
    "recipe.change": "change the product",
    "lot.set": "begin a lot",
    "report.make": "make shift and lot reports",
    "study.run": "run an agreement study",
    "model.teach": "teach a new product",
    "camera.set": "set up a camera",
    "recipe.edit": "change regions, masks and thresholds",
    "timing.set": "set trigger and reject timing",
    "io.force": "force outputs, fire test pulses",
    "model.activate": "activate a model and roll back",
    "label.draw": "draw labels and export training data",
    "diagnostics.read": "see diagnostics, make a support bundle",
    "user.edit": "create, change and disable users, edit roles",
    "settings.edit": "change settings, back up, restore",
    "audit.read": "read and check the audit trail",
    "api.token": "make and withdraw API tokens and webhooks",
    "fleet.enrol": "let the box join the fleet, let a halted stream go on",
}
"""Every right, and what it allows (English; the screens translate)."""

_OPERATOR = frozenset(
    ("alarm.ack", "part.review", "part.label", "part.escape", "inspection.run", "challenge.run", "lot.set")
)
_LEAD = _OPERATOR | {
    "alarm.shelve",
    "part.export",
    "challenge.sign",
    "bypass.set",
    "recipe.change",
    "report.make",
    "study.run",
    "model.teach",
}
_ENGINEER = _LEAD | {
    "camera.set",
    "recipe.edit",
    "timing.set",
    "io.force",
    "model.activate",
    "label.draw",
    "diagnostics.read",
    "fleet.enrol",
}
ROLES: dict[str, frozenset[str]] = {
    "operator": _OPERATOR,
    "lead": _LEAD,
    "engineer": _ENGINEER,
    "administrator": frozenset(
        ("user.edit", "settings.edit", "audit.read", "api.token", "diagnostics.read", "fleet.enrol")
    ),
    "auditor": frozenset(("part.review", "report.make", "audit.read")),
}
"""The roles a new ledger begins with."""
KEEPER = "user.edit"
"""The right of which at least one enabled user must always be left."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be asked for."""

    owner: str
    """Process that does it: `io`, `camera` (at `ask-camera-NAME`), `records`, `shift`, `workshop`, `uplink` (sync)."""
    right: str
    """What it takes; empty: nothing (its owner looks for itself)."""


def _of(owner: str, **rights: str) -> dict[str, Command]:
    return {name.replace("__", "."): Command(owner, right) for name, right in rights.items()}


COMMANDS: dict[str, Command] = {
    **_of(
        "records",
        account__sign_in="",
        account__sign_in_second="",
        account__second_begin="",
        account__second_confirm="",
        account__second_codes="",
        account__second_off="",
        account__second_demand="user.edit",
        account__second_take_off="user.edit",
        account__sign_out="",
        account__first="",
        account__own_secret="",
        account__create="user.edit",
        account__change="user.edit",
        account__sign_out_all="user.edit",
        role__change="user.edit",
        audit__add="",
        audit__head="",
        audit__verify="audit.read",
        signature__make="",
        label__set="part.label",
        label__undo="part.label",
        part__reviewed="part.review",
        escape__set="part.escape",
        drawing__set="label.draw",
        golden__set="label.draw",
        golden__end="label.draw",
        journal__add="",
        journal__state="",
        ladder__step="",
        ladder__floor="",
        ladder__differs="",
        study__set="study.run",
        setting__set="settings.edit",
        backup__make="settings.edit",
        token__make="api.token",
        token__end="api.token",
        webhook__set="api.token",
        webhook__reached="",
        webhook__dead="",
    ),
    **_of(
        "shift",
        alarm__ack="alarm.ack",
        alarm__shelve="alarm.shelve",
        alarm__unshelve="alarm.shelve",
        alarm__service="alarm.shelve",
        alarm__reset="alarm.shelve",
        inspection__stop="inspection.run",
        inspection__start="inspection.run",
        challenge__start="challenge.run",
        challenge__confirm="challenge.run",
        challenge__abort="challenge.run",
        challenge__sign="challenge.sign",
        challenge__samples="challenge.sign",
        hold__release="challenge.sign",
        bypass__set="bypass.set",
        bypass__end="bypass.set",
        lot__set="lot.set",
        change__begin="recipe.change",
        change__step="recipe.change",
        change__abort="recipe.change",
    ),
    **_of(
        "io",
        force__set="io.force",
        pulse__hold="io.force",
        timing__check="timing.set",
        io__look="diagnostics.read",
        model__swap="",
    ),
    **_of("camera", feature__read="camera.set", feature__write="camera.set", camera__free_run="camera.set"),
    **_of(
        "uplink", fleet__look="", fleet__enrol="fleet.enrol", fleet__cancel="fleet.enrol", fleet__resume="fleet.enrol"
    ),
    **_of(
        "workshop",
        draft__list="model.teach",
        draft__new="model.teach",
        draft__read="model.teach",
        draft__change="model.teach",
        draft__drop="model.teach",
        draft__shoot="model.teach",
        draft__teach="model.teach",
        draft__limit="model.teach",
        draft__try="model.teach",
        draft__release="model.teach",
        recipe__read="recipe.edit",
        recipe__judge="recipe.edit",
        recipe__save="recipe.edit",
        recipe__camera="camera.set",
        recipe__timing="timing.set",
        model__list="model.activate",
        model__preview="model.activate",
        model__compare="model.activate",
        model__activate="model.activate",
        model__back="model.activate",
        labels__export="label.draw",
        labels__import="label.draw",
        settings__read="settings.edit",
        settings__change="settings.edit",
        support__bundle="diagnostics.read",
        stick__look="",
        stick__paper="report.make",
        stick__rejects="part.export",
        stick__support="diagnostics.read",
        stick__backup="settings.edit",
        stick__export="part.export",
        work__status="",
    ),
    **_of(
        "sync",
        ladder__show="model.activate",
        ladder__unlock="model.activate",
        ladder__stop="model.activate",
        ladder__waive="model.activate",
        ladder__seen="model.activate",
        ladder__offer="model.activate",
        ladder__back="model.activate",
    ),
}
"""Every command there is."""
