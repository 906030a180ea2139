"""Who may do what: each role holds the rights of those before it. A token holds rights, never a role."""

RIGHTS = {
    "look": "see boxes, parts, figures, rollouts and alarms",
    "review": "say whether a verdict was right",
    "export": "export parts, pictures and samples",
    "alarm.end": "say that an alarm was seen to",
    "rollout.halt": "stop a rollout in all rings",
    "rollout.open": "open, pause and resume a rollout, unlock a bundle",
    "enrol": "let a box in",
    "box.edit": "rename a box, move it to another site or line",
    "box.revoke": "retire a box",
    "stream.resume": "let a halted stream go on",
    "audit": "read who did what",
    "person.edit": "make, change and close local people, end sessions",
    "token.make": "make and withdraw tokens",
}
_OWN = {
    "viewer": ("look",),
    "reviewer": ("review", "export", "alarm.end"),
    "engineer": ("rollout.halt", "rollout.open"),
    "admin": ("enrol", "box.edit", "box.revoke", "stream.resume", "audit", "person.edit", "token.make"),
}


def rights_of(roles: list[str]) -> frozenset[str]:
    """What somebody with these roles may do. Unknown roles hold nothing."""
    names = list(_OWN)
    highest = max((names.index(role) for role in roles if role in _OWN), default=-1)
    return frozenset(right for name in names[: highest + 1] for right in _OWN[name])
