"""The screens: where each is, what it is called, who may see it, and where its key stands."""

from dataclasses import dataclass

from .words import N_


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen."""

    id: str
    """Also name of its help page, and of the CSS class `page-ID`."""
    title: str
    endpoint: str
    right: str
    """What it takes to see it; empty: nothing, on the panel."""
    group: str
    """`operator`, `lead`, `engineer`, `administrator`: where it stands in the menu, and how large its targets are."""
    nav: bool = False
    """Has a key at the lower edge of every screen."""


SCREENS: tuple[Screen, ...] = (
    Screen("run", N_("Run"), "run.run", "", "operator", nav=True),
    Screen("rejects", N_("Rejects"), "rejects.gallery", "", "operator", nav=True),
    Screen("confirm", N_("Confirm rejects"), "confirm.page", "part.label", "operator"),
    Screen("missed", N_("Missed defect"), "missed.page", "part.escape", "operator"),
    Screen("challenge", N_("Test"), "challenge.page", "", "operator", nav=True),
    Screen("change", N_("Product"), "change.page", "", "lead", nav=True),
    Screen("trends", N_("Trends"), "trends.page", "", "operator", nav=True),
    Screen("alarms", N_("Alarms"), "alarms.page", "", "operator", nav=True),
    Screen("image", N_("Image"), "image.page", "", "operator"),
    Screen("report", N_("Shift report"), "report.page", "report.make", "lead"),
    Screen("study", N_("Agreement study"), "study.page", "study.run", "lead"),
    Screen("teach", N_("Teach a product"), "teach.page", "model.teach", "lead"),
    Screen("camera", N_("Camera"), "camera.page", "camera.set", "engineer"),
    Screen("regions", N_("Regions"), "regions.page", "recipe.edit", "engineer"),
    Screen("timing", N_("Timing"), "timing.page", "timing.set", "engineer"),
    Screen("plc", N_("PLC and I/O"), "plc.page", "io.force", "engineer"),
    Screen("models", N_("Models"), "models.page", "model.activate", "engineer"),
    Screen("labelling", N_("Draw labels"), "labelling.page", "label.draw", "engineer"),
    Screen("diagnostics", N_("Diagnostics"), "diagnostics.page", "diagnostics.read", "engineer"),
    Screen("fleet", N_("Fleet"), "enrolment.page", "fleet.enrol", "engineer"),
    Screen("admin", N_("Administration"), "admin.page", "audit.read", "administrator"),
    Screen("help", N_("Help"), "help.page", "", "operator", nav=True),
    Screen("access", N_("Sign in"), "access.page", "", "operator"),
)
"""In the order of the menu."""
BY_ID = {screen.id: screen for screen in SCREENS}
GROUPS = {
    "operator": N_("Operator"),
    "lead": N_("Line lead"),
    "engineer": N_("Engineer"),
    "administrator": N_("Administrator"),
}
