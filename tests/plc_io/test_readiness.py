"""What io believes of the others: who is set up for another job, or was started again, is not ready."""

from dataclasses import replace

from okng.bus.clock import MS, SECOND
from okng.bus.heartbeat import Beat
from okng.bus.messages import CameraState, Health, InspectState, Job
from okng.plc_io.readiness import Watch

JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS)
LID = Job("lid", "ba9876543210", "d" * 64, 100 * MS)
NOW = 10**12
CAMERA = CameraState("top", Health.READY, 1, "", 0, 0, 0, 0, 0, 0, 0, "host", 0, 1, JOB.revision)
INSPECT = InspectState(Health.READY, JOB, "CPUExecutionProvider", 0, "")


def beats(pid: int = 1, *, age_ns: int = 0) -> dict[str, Beat]:
    return {name: Beat(name, pid, Health.READY, NOW - age_ns, 0, 0) for name in ("camera-top", "inspect")}


def ready_watch() -> Watch:
    watch = Watch(("top",), 1, JOB)
    watch.look(beats(), NOW)
    watch.camera(CAMERA, NOW)
    watch.inspect(INSPECT, NOW)
    return watch


def test_all_by_one_job_are_ready() -> None:
    found = ready_watch().look(beats(), NOW)
    assert (found.blockers, found.moves) == ((), True)


def test_who_goes_by_another_job_is_not() -> None:
    watch = ready_watch()
    watch.follow(2, LID)
    assert watch.look(beats(), NOW).blockers == (
        "camera top is set up for job 1 revision 0123456789ab, expected job 2 revision ba9876543210",
        f"inspect has another job than io: cap 0123456789ab with model {'f' * 12}, 100 ms, "
        f"expected lid ba9876543210 with model {'d' * 12}, 100 ms",
    )
    watch.camera(replace(CAMERA, job_number=2, revision=LID.revision), NOW)
    watch.inspect(replace(INSPECT, job=LID), NOW)
    assert watch.look(beats(), NOW).blockers == ()


def test_a_camera_that_says_nothing_of_its_job_is_not_ready() -> None:
    watch = ready_watch()
    watch.camera(replace(CAMERA, job_number=0, revision=""), NOW)
    assert watch.look(beats(), NOW).blockers == (
        "camera top is set up for no job, expected job 1 revision 0123456789ab",
    )


def test_the_word_of_a_process_that_was_started_again_is_void() -> None:
    watch = ready_watch()
    assert watch.look(beats(pid=2), NOW).blockers == (
        "camera top: its process runs, but says nothing yet",
        "inspect: its process runs, but says nothing yet",
    )
    watch.camera(CAMERA, NOW)
    watch.inspect(INSPECT, NOW)
    assert watch.look(beats(pid=2), NOW).blockers == ()


def test_a_camera_may_take_long_for_a_turn_only_while_it_is_set_up() -> None:
    watch = ready_watch()
    slow = beats(age_ns=2 * SECOND)
    assert not watch.look(slow, NOW).moves
    assert watch.look(slow, NOW, changing=True).moves
    assert not watch.look(beats(age_ns=6 * SECOND), NOW, changing=True).moves
    ended = {name: replace(beat, health=Health.LOST) for name, beat in slow.items()}
    assert "camera-top" not in watch.look(ended, NOW, changing=True).moving
    watch.camera(replace(CAMERA, job_number=2, revision=LID.revision), NOW)
    found = watch.look({**slow, "inspect": beats()["inspect"]}, NOW)
    assert found.moves
    assert found.blockers != ()
