"""What the models say of drift in one job: lamp, product or model. Advice for people, never a verdict."""

from collections.abc import Callable, Iterable

from ..models.bundle import Bundle
from ..models.findings import Findings
from ..models.model_watch import ModelWatch
from .sections import Region
from .view import View


class DriftWatch:
    """One watch for each region of each camera. One thread; its memory is some numbers a region."""

    def __init__(self, views: Iterable[View], bundle_of: Callable[[Region], Bundle]) -> None:
        """Regions whose threshold is the recipe's own are left out: they are judged otherwise than the goods were."""
        self._watches: dict[tuple[str, str], ModelWatch] = {}
        self._views = {view.camera: view for view in views}
        for view in self._views.values():
            for region in view.regions:
                made = None if region.threshold is not None else ModelWatch.of(region.name, bundle_of(region))
                if made is not None:
                    self._watches[view.camera, region.name] = made

    def look(self, camera: str, region: Region, findings: Findings, threshold: float) -> None:
        """Take up what a model found in a region of one part."""
        watch = self._watches.get((camera, region.name))
        if watch is not None:
            watch.look(findings, threshold)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What stands as of the last part, for people: `CAMERA: CAUSE: what was seen: what to do`."""
        found = []
        for (camera, _), watch in self._watches.items():
            image = self._views[camera].watch
            said = watch.alarm(image.causes if image is not None else (), watched=image is not None)
            if said:
                found.append(f"{camera}: {said}")
        return tuple(found)
