"""The words of the fleet's pages in the viewer's language, and how figures are written."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

Gettext = Callable[..., str]


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a sentence for the catalogue."""
    return message


LEVELS = {
    "well": N_("well"),
    "look": N_("worth a look"),
    "wrong": N_("trouble"),
    "down": N_("not inspecting"),
    "silent": N_("silent"),
}
LEVEL_SHAPES = {"well": "check", "look": "diamond", "wrong": "triangle", "down": "octagon", "silent": "octagon"}
WHY = {
    "process": N_("Process"),
    "camera": N_("Camera"),
    "clock": N_("Clock is not believed"),
    "disk": N_("Disk nearly full"),
    "ladder": N_("Model refused or rolled back"),
    "drift": N_("Drift"),
}
PROCESS_STATES = {
    "starting": N_("starting"),
    "ready": N_("ready"),
    "lost": N_("ended"),
    "fault": N_("fault"),
    "silent": N_("silent"),
}
"""Health of a process as the box tells it, and that its heartbeat does not move."""
RUNGS = {
    "": N_("nothing told"),
    "OFFERED": N_("offered"),
    "FETCHED": N_("fetched"),
    "VERIFIED": N_("verified"),
    "LOADED": N_("loaded"),
    "GOLDEN": N_("golden pictures"),
    "SHADOW": N_("shadow"),
    "CANARY": N_("canary"),
    "CHAMPION": N_("champion"),
    "RETIRED": N_("retired"),
    "REFUSED": N_("refused"),
    "ROLLED_BACK": N_("rolled back"),
}
ROLLOUT_STATES = {
    "running": N_("running"),
    "paused": N_("paused"),
    "halted": N_("halted"),
    "over": N_("over"),
}
ROLES = {"champion": N_("champion"), "challenger": N_("challenger")}
OUTCOMES = {"OK": N_("OK"), "NG": N_("NG"), "UNJUDGED": N_("unjudged")}
TRUTHS = {"good": N_("good"), "defect": N_("defect"), "unsure": N_("unsure")}
SAMPLE_WHY = {
    "disagreement": N_("the challenger disagrees"),
    "overridden": N_("overridden at the line"),
    "uncertain": N_("close to the limit"),
}
FACTORS = {
    "recipe": N_("Recipe"),
    "model": N_("Model"),
    "lot": N_("Lot"),
    "shift": N_("Shift"),
    "tool": N_("Tool"),
    "camera": N_("Camera"),
    "health": N_("Picture health"),
    "box": N_("Box"),
    "line": N_("Line"),
    "hour": N_("Hour of the day"),
}
GROUPS = FACTORS | {"hour": N_("Hour"), "day": N_("Day, UTC")}
FIGURES = {
    "score": N_("Score, share of the limit"),
    "focus": N_("Focus"),
    "brightness": N_("Brightness"),
    "contrast": N_("Contrast"),
    "uniformity": N_("Uniformity of the light"),
    "noise": N_("Noise"),
    "shift_px": N_("Shift of the part, px"),
    "angle_deg": N_("Turn of the part, °"),
}
SPANS = {"8h": N_("8 h"), "24h": N_("24 h"), "7d": N_("7 days"), "30d": N_("30 days")}
SORTS = {
    "worst": N_("worst first"),
    "name": N_("name"),
    "line": N_("line"),
    "site": N_("site"),
    "seen": N_("longest silent"),
    "owed": N_("most owed"),
    "disk": N_("fullest disk"),
    "drift": N_("most drift"),
    "version": N_("version"),
}
DEEDS = {
    "box let in": N_("Box let in"),
    "box turned away": N_("Box turned away"),
    "box retired": N_("Box retired"),
    "certificate renewed": N_("Certificate renewed"),
    "stream halted": N_("Stream halted"),
    "stream resumed": N_("Stream resumed"),
    "rollout ring opened": N_("Ring opened"),
    "rollout paused": N_("Rollout paused"),
    "rollout halted": N_("Rollout halted"),
    "rollout resumed": N_("Rollout resumed"),
    "rollout automatic": N_("Rollout goes on by itself"),
    "rollout by hand": N_("Rollout goes on by hand"),
    "all rollouts halted": N_("All rollouts halted"),
    "all rollouts resumed": N_("All rollouts resumed"),
    "rings set": N_("Boxes put into rings"),
    "bundle unlocked": N_("Model unlocked"),
    "signed in": N_("Signed in"),
    "signed out": N_("Signed out"),
    "sign-in failed": N_("Sign-in failed"),
    "roles changed": N_("Roles changed"),
    "person set": N_("Person made or changed"),
    "person closed": N_("Account closed"),
    "token made": N_("Token made"),
    "token revoked": N_("Token withdrawn"),
}
STREAMS = {
    "alarms": N_("alarms"),
    "audit": N_("audit"),
    "ladder": N_("ladder"),
    "records": N_("records"),
    "labels": N_("labels"),
    "heads": N_("heads of the seal"),
}
TABLES: dict[str, Mapping[str, str]] = {
    "level_word": LEVELS,
    "why_word": WHY,
    "process_word": PROCESS_STATES,
    "rung_word": RUNGS,
    "rollout_word": ROLLOUT_STATES,
    "role_word": ROLES,
    "outcome_word": OUTCOMES,
    "truth_word": TRUTHS,
    "sample_word": SAMPLE_WHY,
    "factor_word": FACTORS,
    "group_word": GROUPS,
    "figure_word": FIGURES,
    "span_word": SPANS,
    "sort_word": SORTS,
    "deed_word": DEEDS,
    "stream_word": STREAMS,
}


def for_templates(gettext: Gettext) -> dict[str, Any]:
    """Give a function for each table: the word of a code, or the code itself where it is not known."""

    def of(table: Mapping[str, str]) -> Callable[[str], str]:
        return lambda code: gettext(table[code]) if code in table else str(code)

    return {name: of(table) for name, table in TABLES.items()} | {"level_shape": LEVEL_SHAPES.get}


def percent(share: float | None, digits: int = 2) -> str:
    """0.0123 as `1.23 %`; nothing as a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def number(value: float | None, digits: int = 0) -> str:
    """With a thin space at thousands; nothing as a dash."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", "\u202f")


def short(value: str, length: int = 12) -> str:
    """Begin of a digest."""
    return value[:length] if value else "–"


def fours(value: str) -> str:
    """A fingerprint in groups, to be compared by eye."""
    return " ".join(value[at : at + 4] for at in range(0, len(value), 4))


def moment(at: datetime | None) -> Markup | str:
    """A moment, UTC; a script writes it in the viewer's zone."""
    if at is None:
        return "–"
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        utc.isoformat(timespec="seconds"), utc.strftime("%Y-%m-%d %H:%M:%S")
    )


def hour(name: str) -> Markup | str:
    """An hour as the counts name it."""
    return moment(datetime.fromisoformat(name))


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": percent,
    "number": number,
    "short": short,
    "fours": fours,
    "moment": moment,
    "hour": hour,
}
