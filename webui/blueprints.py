"""Every blueprint, one line each. A blueprint is made from `Web` and holds the views of one screen."""

from collections.abc import Callable

from flask import Blueprint

from .admin import admin_views
from .alarms import alarm_views
from .api.metrics import metric_views
from .api.views import api_views
from .bypass import bypass_views
from .camera_screen import camera_views
from .challenge import challenge_views
from .change import change_views
from .closeup_views import closeup_views
from .confirm import confirm_views
from .diagnostics import diagnostic_views
from .enrolment import enrolment_views
from .golden import golden_views
from .help import help_views
from .labelling import labelling_views
from .ladder import ladder_views
from .missed import missed_views
from .models import model_views
from .papers import paper_views
from .part_history import history_views
from .plc_screen import plc_views
from .regions import region_views
from .report import report_views
from .signatures import signature_views
from .sticks import stick_views
from .study import study_views
from .teach import teach_views
from .timing import timing_views
from .trends import trend_views
from .web import Web

BLUEPRINTS: tuple[Callable[[Web], Blueprint], ...] = (
    api_views,
    metric_views,
    confirm_views,
    missed_views,
    labelling_views,
    admin_views,
    alarm_views,
    challenge_views,
    change_views,
    bypass_views,
    help_views,
    camera_views,
    closeup_views,
    timing_views,
    plc_views,
    diagnostic_views,
    region_views,
    paper_views,
    history_views,
    golden_views,
    trend_views,
    teach_views,
    model_views,
    report_views,
    signature_views,
    study_views,
    stick_views,
    enrolment_views,
    ladder_views,
)
