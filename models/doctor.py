"""The doctor's look at what models run on, and at the bundle that is to run."""

from pathlib import Path

from ..bus.doctor import Finding
from ..bus.errors import BadBundle, BadSettings
from .runtime_options import RuntimeOptions


def runtime_findings(provider: str) -> list[Finding]:
    """Look at the execution provider of the settings."""
    try:
        from . import runtime
    except ImportError as error:
        advice = "Install one runtime: okng[cpu], or okng[gpu] for an NVIDIA card."
        return [Finding("provider", False, f"the model runtime does not load: {error}", advice)]
    try:
        full = runtime.check_provider(provider)
    except BadSettings as error:
        advice = "Set inspect.provider to one that is there, or install what it needs (okng[gpu], driver, CUDA)."
        return [Finding("provider", False, str(error), advice)]
    return [Finding("provider", True, f"{full}; this box offers {', '.join(runtime.available_providers())}")]


def bundle_finding(bundle: Path, options: RuntimeOptions) -> Finding:
    """Whether every file of the bundle is as it was made, and scores on this box as it did where it was made."""
    from .bundle import open_bundle
    from .detector import Detector
    from .parity import check_gate

    try:
        opened = open_bundle(bundle)
        report = check_gate(Detector(opened, options.provider, options.threads, options=options))
    except (BadBundle, BadSettings) as error:
        return Finding("model", False, str(error), "Teach it again (okng teach) or fetch it again (okng sync --pull).")
    wrong = len({*report.failures, *report.flips})
    scored = (
        f"{wrong} of {report.pictures} golden pictures score otherwise" if wrong else "golden pictures score as stored"
    )
    found = f"{bundle.name}, digest {opened.digest[:12]}: {scored} (at most {report.largest_difference:.2g} off)"
    if report.latency is not None:
        found += f", {report.latency.words}"
    if not report.passed and not wrong:
        return Finding("model", False, found, "Too slow for this box: teach a smaller model, or use a GPU.")
    if not report.passed:
        advice = (
            "This box computes otherwise than the one that taught. Teach here, or use the provider it was made with."
        )
        return Finding("model", False, found, advice)
    return Finding("model", True, found)
