"""One picture at a time becomes a verdict: one job, that is one recipe and the models it names."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..bus.clock import MS, now_ns
from ..bus.errors import BadPicture, BadRecipe
from ..bus.messages import FrameReady, ImageLimits, Job
from ..bus.part import Outcome, Verdict
from ..bus.ring import RingShelf
from ..camera.frame import make_ready, read_picture
from ..imaging.picture import Picture
from ..imaging.plan import plan_of
from ..models.bundle import Bundle
from ..models.findings import Findings
from .drift_watch import DriftWatch
from .findings_of import seen_by_model, seen_by_tool
from .job import agreements_of, job_of, model_of
from .judge import Judgement, judge
from .looked import Again, Looked, seen_again
from .models_at_hand import Models
from .options import InspectOptions
from .recipe import ActiveRecipe, Recipe
from .sections import Region
from .seen import Seen
from .view import Cut, Extras, View


class Inspector:
    """Judges one picture at a time by one recipe, its bundles and its tools."""

    def __init__(
        self,
        number: int,
        active: ActiveRecipe,
        options: InspectOptions,
        cameras: tuple[str, ...],
        run_dir: Path,
        wanted: Job | None = None,
        folders: Mapping[str, Path] | None = None,
    ) -> None:
        """Load, warm up and prove every bundle. BadBundle, BadSettings, BadRecipe.

        number: what the PLC calls the job. cameras: those of the box, each of which the recipe has to speak of.
        run_dir: where the cameras' rings lie, and how their raw pixels become pictures. wanted: what it has to be, as
        io read it (BadRecipe: it is another). folders: where bundles lie, by what the recipe calls each; one that is
        left out is where the recipe's link leads to.
        """
        if folders:
            active = replace(active, places={**active.places, **folders})
        self.number, self.active = number, active
        self._recipe: Recipe = active.recipe
        self._agreements = agreements_of(active, cameras)
        if wanted is not None:
            _check_same(active, job_of(active, cameras), wanted)  # before the time of loading is spent
        self.models = models = Models(active, options)
        self.job = job_of(active, cameras, models.digests)
        if wanted is not None:
            _check_same(active, self.job, wanted)
        self._check_means()
        self._cameras = cameras
        self._views = {camera: View(active, camera) for camera in cameras}
        self._check_masks()
        for view in self._views.values():  # the tables of a lens take longer than the first part's deadline
            section = view.section
            plan = plan_of(section.develop, active.folder, section.width, section.height)
            make_ready(run_dir, view.camera, plan, section.width, section.height, section.pixel_format)
        self._drift = DriftWatch(self._views.values(), models.bundle)
        self._typical_ns = 0

    @property
    def provider(self) -> str:
        """Execution provider that really runs."""
        return self.models.provider

    @property
    def trouble(self) -> str:
        """Why parts cannot be judged for now, for people: a model failed and is being loaded again. Empty: they can."""
        return self.models.trouble

    @property
    def alarms(self) -> tuple[str, ...]:
        """What has drifted as of the last part of each camera, in picture or model, for people. Never a verdict."""
        pictures = (each for view in self._views.values() if view.watch is not None for each in view.watch.alarms)
        return (*pictures, *self._drift.alarms)

    @property
    def image_limits(self) -> tuple[ImageLimits, ...]:
        """What the pictures of each commissioned camera are compared with."""
        return tuple(view.watch.limits for view in self._views.values() if view.watch is not None)

    def twin(self, replaces: str, folder: Path, bundle: str, between: Callable[[], None] = lambda: None) -> "Inspector":
        """Load another bundle in the place of one of this job's, and return who judges by it; any thread may call.

        All else is shared with this one: one thread has to own both. replaces, bundle: digests. between: called before
        each inference. KeyError: this job has no such bundle. BadBundle, BadSettings, BadRecipe: as when it is made.
        """
        twin = copy.copy(self)
        twin.exchange(replaces, self.models.opened(folder, bundle), between)
        return twin

    def exchange(self, replaces: str, bundle: Bundle, between: Callable[[], None]) -> None:
        """Put a bundle in the place of another one. Only of a copy that nobody judges by yet."""
        self.models = self.models.with_other(replaces, bundle, between)
        self.job = replace(self.job, model=model_of(self.models.digests.values()))
        self._check_means()
        self._check_masks()
        self._drift = DriftWatch(self._views.values(), self.models.bundle)

    @property
    def digests(self) -> frozenset[str]:
        """Of its bundles."""
        return frozenset(self.models.digests.values())

    def budget_ns(self, bundle: str) -> int:
        """What that bundle may take for one picture: as its manifest promises, never more than half the deadline."""
        half, count = self.job.deadline_ns // 2, self._regions_of(bundle)
        promised = next((each.manifest.budget_ms for each in self.models.bundles if each.digest == bundle), None)
        return half if promised is None else min(half, round(promised * count * MS))

    def proved_ns(self, bundle: str) -> int:
        """What it took for one picture when it was proved, at its worst."""
        latency = self.models.latencies.get(bundle)
        return self.budget_ns(bundle) if latency is None else round(latency.worst_ms * self._regions_of(bundle) * MS)

    def _regions_of(self, bundle: str) -> int:
        """How many regions of one picture it looks at, at most."""
        views = self._views.values()
        return max(sum(self.models.bundle(each).digest == bundle for each in view.regions) for view in views)

    def again(self, looked: Looked, bundle: str) -> Again | None:
        """Look once more at what another one of this job has looked at, by this one's bundle of that digest.

        None: the bundle sees nothing of that view. Raises what the model raises.
        """
        regions = [
            (cut, cut.section)
            for cut in looked.cuts
            if isinstance(cut.section, Region) and self.models.bundle(cut.section).digest == bundle
        ]
        if not regions:
            return None
        found = self.models.find([(region, cut.picture, cut.box) for cut, region in regions])
        seen = [
            seen_by_model(cut, self._masked(looked.view, region, each), self.models.threshold(region))
            for (cut, region), each in zip(regions, found, strict=True)
        ]
        anew = seen_again(looked, seen)
        sections = (*looked.view.regions, *looked.view.tools)
        judged = judge(self._recipe.rules, sections, anew, looked.doubts, self._agreements, looked.view.camera)
        return Again.of(looked, seen, judged)

    def prove(self, between: Callable[[], None] = lambda: None) -> None:
        """Score the golden pictures of every bundle on this box. BadBundle: not as stored.

        between: called before each picture; what it raises ends the work.
        """
        self.models.prove(between)

    def turn(self) -> None:
        """Keep models warm and take those that were loaded again, while no frame waits. Fault: one cannot be had."""
        self.models.turn()

    def wait_ns(self) -> int | None:
        """Nanoseconds until `turn` has something to do; None: nothing to wait for."""
        return self.models.wait_ns()

    def close(self, besides: Sequence["Inspector"] = ()) -> None:
        """Another one judges, or the process ends. Takes some seconds at most. besides: they go on, and may share."""
        self.models.close([each.models for each in besides])

    def verdict(self, ready: FrameReady, shelf: RingShelf) -> Verdict:
        """Judge the part of this frame. Never raises for what is wrong with the picture: that is UNJUDGED."""
        return self.looked(ready, shelf)[0]

    def looked(self, ready: FrameReady, shelf: RingShelf) -> tuple[Verdict, Looked | None]:
        """The same, and what it was judged by, for another one to look at; None where no model was asked."""
        started = now_ns()
        if started + self._typical_ns >= ready.triggered_at_ns + self.job.deadline_ns:
            # Work on a part that cannot be in time any more would only make the next one late too.
            self._typical_ns = self._typical_ns * 7 // 8  # one slow inference must not shut the door for good
            return self._unjudged(ready, started, "too late to be judged"), None
        view = self._views[ready.camera]
        wanted = view.section
        if (ready.width, ready.height) != (wanted.width, wanted.height):
            sent = f"{ready.width}x{ready.height}"
            return self._unjudged(ready, started, f"picture is {sent}, not {wanted.width}x{wanted.height}"), None
        try:
            picture = read_picture(shelf, ready)
            if picture is None:
                return self._unjudged(ready, started, "picture gone from the ring before it was read"), None
            made, looked = self._judged(ready, view, picture, started)
        except BadPicture as error:
            return self._unjudged(ready, started, str(error)), None
        self._typical_ns += (made.done_ns - started - self._typical_ns) // 8
        return made, looked

    def look(self, camera: str, picture: Picture) -> Verdict:
        """Judge a developed picture that lies in no ring, by the same steps as a part on the line; as if of part 1.

        Never raises for what is wrong with the picture: that is UNJUDGED. KeyError: no such camera.
        """
        view, started = self._views[camera], now_ns()
        height, width = picture.shape[:2]
        ready = _kept_frame(camera, width, height, started)
        if (width, height) != view.section.size:
            wanted = "x".join(str(side) for side in view.section.size)
            return self._unjudged(ready, started, f"picture is {width}x{height}, not {wanted}")
        try:
            return self._judged(ready, view, picture, started)[0]
        except BadPicture as error:
            return self._unjudged(ready, started, str(error))

    def _judged(self, ready: FrameReady, view: View, picture: Picture, started: int) -> tuple[Verdict, Looked | None]:
        """Find the part, read its codes, see its regions, judge. BadPicture: it is not what the job was made for."""
        found = view.find(picture)
        image = () if view.watch is None else (view.watch.look(picture),)
        placements = () if found is None else (found.placement,)
        if found is not None and not found.placement.found:
            return self._unjudged(ready, started, "part not found in the picture", Extras(image, placements)), None
        codes = list(view.read_codes(picture, found))
        doubts = [reason for _, reason in codes if reason]
        found_cuts = list(view.cuts(picture, found))
        doubts += [cut for cut in found_cuts if isinstance(cut, str)]
        cuts = [cut for cut in found_cuts if isinstance(cut, Cut)]
        seen = self._seen(view, cuts)
        sections = (*view.regions, *view.tools)
        judged = judge(self._recipe.rules, sections, seen, doubts, self._agreements, view.camera)
        made = self._made(ready, started, judged, Extras(image, placements, tuple(read for read, _ in codes)))
        return made, Looked(view, tuple(cuts), tuple(seen), tuple(doubts), judged)

    def _seen(self, view: View, cuts: list[Cut]) -> list[Seen]:
        """What models and tools say, in the order of the recipe: all of one model in one go."""
        looked = [(cut, cut.section) for cut in cuts if isinstance(cut.section, Region)]
        findings = [
            self._masked(view, region, found)
            for (_, region), found in zip(
                looked, self.models.find([(region, cut.picture, cut.box) for cut, region in looked]), strict=True
            )
        ]
        seen = [
            seen_by_model(cut, found, self.models.threshold(region))
            for (cut, region), found in zip(looked, findings, strict=True)
        ]
        for (_, region), found in zip(looked, findings, strict=True):
            self._drift.look(view.camera, region, found, self.models.threshold(region))
        for cut in cuts:
            if not isinstance(cut.section, Region):
                box = (cut.box.x, cut.box.y, cut.box.w, cut.box.h)
                seen.append(seen_by_tool(cut, view.rulers[cut.section.name].measure(cut.picture, box)))
        return seen

    def _masked(self, view: View, region: Region, found: Findings) -> Findings:
        """The findings without what lies in an ignored place of the region."""
        mask = view.masks.get(region.name)
        return found if mask is None else mask.applied(found, by_spots=self._adapter(region) != "anomaly")

    def _adapter(self, region: Region) -> str:
        return self.models.bundle(region).manifest.output.adapter

    def _check_masks(self) -> None:
        """BadRecipe: places are left out of a region whose model says nothing of places."""
        for view in self._views.values():
            for region in view.regions:
                if region.name in view.masks and self._adapter(region) == "classification":
                    raise BadRecipe(
                        f"{self.active.path}: regions: {region.name}: ignore, within: its model classifies the whole "
                        "region and cannot leave places out: expected none, or a smaller box"
                    )

    def _check_means(self) -> None:
        """BadRecipe: a mean of shares of a limit that is not above 0."""
        regions = {region.name: region for region in self._recipe.regions}
        for section in self._recipe.agreements:
            for name in section.regions if section.ng_when == "mean" else ():
                if name in regions and self.models.threshold(regions[name]) <= 0:
                    raise BadRecipe(
                        f"{self.active.path}: agreements: {section.name}: ng_when = mean: expected a limit above 0, "
                        f"region {name} has {self.models.threshold(regions[name]):g}"
                    )

    def _unjudged(self, ready: FrameReady, started: int, reason: str, extras: Extras | None = None) -> Verdict:
        return self._made(ready, started, Judgement(Outcome.UNJUDGED, (reason,), (), 0.0, 0.0, ()), extras)

    def _made(self, ready: FrameReady, started: int, made: Judgement, extras: Extras | None = None) -> Verdict:
        extras = extras or Extras()
        return Verdict(
            part=ready.part,
            outcome=made.outcome,
            reasons=made.reasons,
            defects=made.defects,
            score=made.score,
            threshold=made.threshold,
            recipe=self.job.recipe,
            revision=self.job.revision,
            model=self.job.model,
            camera=ready.camera,
            triggered_at_ns=ready.triggered_at_ns,
            frame=ready,
            heat=made.heat,
            started_ns=started,
            done_ns=now_ns(),
            image=extras.image,
            placements=extras.placements,
            codes=extras.codes,
            measures=made.measures,
            votes=made.votes,
            apart=made.apart,
        )


def _kept_frame(camera: str, width: int, height: int, at_ns: int) -> FrameReady:
    """What would be said of a picture if it had just come."""
    return FrameReady(
        part=1,
        camera=camera,
        ring="",
        slot=0,
        sequence=0,
        number=0,
        epoch=0,
        width=width,
        height=height,
        pixel_format="",
        size_bytes=0,
        triggered_at_ns=at_ns,
        exposed_at_ns=at_ns,
        device_ns=None,
        received_ns=at_ns,
        ready_ns=at_ns,
        taken_at="",
    )


def _check_same(active: ActiveRecipe, found: Job, wanted: Job) -> None:
    """BadRecipe: io reads another job in these files than is read here."""
    if found != wanted:
        raise BadRecipe(
            f"{active.path}: reads as revision {found.revision} with model {found.model:.12} here, "
            f"io reads {wanted.revision} with {wanted.model:.12}: it was changed meanwhile, ask again"
        )
