"""What people may ask of this room, and what each ask takes. The rights were looked at; here the asks are done."""

from collections.abc import Callable
from typing import Any

from ..bus.asks import Ask, Handler
from ..bus.clock import now_ns, utc_now
from ..bus.errors import Refused
from .foreman import Foreman, utc_after
from .samples import as_body, parts_of

RELAXES = frozenset({"bypass.set", "hold.release", "challenge.sign"})
"""What lets something by that was held: done only once the ledger has it that it was asked for."""


Unsigned = Callable[[int, str], str]
"""Of a job and who wants it: why it cannot be changed over to, because its recipe lacks a signature; empty: it can."""


def all_signed(number: int, who: str) -> str:
    """No signature is asked for."""
    return ""


def relaxes(ask: Ask) -> bool:
    """The ledger's answer has to come first."""
    return ask.name in RELAXES or (ask.name == "change.step" and ask.body.get("step") == 6)


class ShiftDesk:
    """The handlers of one line's foreman."""

    def __init__(self, foreman: Foreman, unsigned: Unsigned = all_signed) -> None:
        self._foreman, self._unsigned = foreman, unsigned

    def handlers(self) -> dict[str, Handler]:
        """By command, for `bus.asks.Desk`."""
        return {
            "alarm.ack": self._ack,
            "alarm.shelve": self._shelve,
            "alarm.unshelve": self._unshelve,
            "alarm.service": self._service,
            "alarm.reset": self._reset,
            "inspection.stop": self._stop,
            "inspection.start": self._start,
            "challenge.start": self._challenge_start,
            "challenge.confirm": self._challenge_confirm,
            "challenge.abort": self._challenge_abort,
            "challenge.sign": self._challenge_sign,
            "challenge.samples": self._challenge_samples,
            "hold.release": self._hold_release,
            "bypass.set": self._bypass_set,
            "bypass.end": self._bypass_end,
            "lot.set": self._lot_set,
            "change.begin": self._change_begin,
            "change.step": self._change_step,
            "change.abort": self._change_abort,
        }

    # -- alarms ------------------------------------------------------------------------------------------------------

    def _ack(self, ask: Ask) -> dict[str, Any]:
        """{"key": "camera.lost:top"} or {"keys": [...]}: of several, those that can be."""
        if "key" in ask.body:
            self._foreman.alarms.acknowledge(_text(ask, "key"), ask.who, utc_now())
            return {"acknowledged": [ask.body["key"]]}
        keys = ask.body.get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise Refused("alarm.ack: key or keys: expected which alarm")
        done = [key for key in keys if _tried(self._foreman.alarms.acknowledge, key, ask.who, utc_now())]
        if not done:
            raise Refused("there is nothing to acknowledge")
        return {"acknowledged": done}

    def _shelve(self, ask: Ask) -> dict[str, Any]:
        """{"key", "minutes": up to 30}."""
        minutes, utc = _number(ask, "minutes", 30), utc_now()
        until = utc_after(utc, int(minutes * 60e9))
        self._foreman.alarms.shelve(_text(ask, "key"), minutes, ask.who, now_ns(), utc, until)
        return {"until": until}

    def _unshelve(self, ask: Ask) -> dict[str, Any]:
        """{"key"}."""
        self._foreman.alarms.unshelve(_text(ask, "key"), ask.who, utc_now())
        return {}

    def _service(self, ask: Ask) -> dict[str, Any]:
        """{"key", "out": true or false}."""
        self._foreman.alarms.service(_text(ask, "key"), _yes(ask, "out"), ask.who, utc_now())
        return {}

    def _reset(self, ask: Ask) -> dict[str, Any]:
        """{"key"}."""
        self._foreman.alarms.reset(_text(ask, "key"), ask.who, utc_now())
        return {}

    # -- inspection, lot, bypass -------------------------------------------------------------------------------------

    def _stop(self, ask: Ask) -> dict[str, Any]:
        """{}: READY drops, so nothing passes; the machine is not stopped."""
        foreman = self._foreman
        if foreman.stopped_by:
            raise Refused(f"the inspection is stopped already, by {foreman.stopped_by}")
        foreman.stopped_by = ask.who or "a person"
        foreman.note("inspection", "stopped", ask.who, {"reason": ask.reason})
        return {}

    def _start(self, ask: Ask) -> dict[str, Any]:
        """{"maintenance": true where something was mended meanwhile}."""
        foreman = self._foreman
        if not foreman.stopped_by and not foreman.forgot_a_stop(now_ns()):
            raise Refused("the inspection is not stopped by a person")
        mended = bool(ask.body.get("maintenance", False))
        if mended:
            foreman.challenge.occur("maintenance")
        foreman.note("inspection", "started", ask.who, {"stopped by": foreman.stopped_by, "maintenance": mended})
        foreman.stopped_by = ""
        return {}

    def _lot_set(self, ask: Ask) -> dict[str, Any]:
        """{"lot": its name; empty: none}."""
        foreman, lot = self._foreman, _text(ask, "lot", empty=True)
        ended = foreman.lot
        if ended and ended != lot:
            foreman.challenge.occur("end")
        foreman.begin_lot(lot, ask.who, utc_now())
        return {"lot": lot}

    def _bypass_set(self, ask: Ask) -> dict[str, Any]:
        """{"minutes"}, and the ask's reason."""
        foreman = self._foreman
        if foreman.challenge.phase == "running":
            raise Refused("a challenge test is running: finish it or break it off")
        minutes = _number(ask, "minutes", foreman.options.bypass_most_min)
        foreman.bypass.set(minutes, _reason(ask), ask.who, now_ns(), utc_now())
        return {}

    def _bypass_end(self, ask: Ask) -> dict[str, Any]:
        """{}."""
        self._foreman.bypass.end(ask.who, utc_now())
        return {}

    # -- challenge test ----------------------------------------------------------------------------------------------

    def _challenge_start(self, ask: Ask) -> dict[str, Any]:
        """{}."""
        foreman = self._foreman
        if foreman.sources.fresh(now_ns()) is None:
            raise Refused("io does not answer: the line cannot be tested")
        if foreman.stopped_by:
            raise Refused(f"the inspection is stopped by {foreman.stopped_by}: start it first")
        foreman.challenge.start(ask.who, utc_now(), bypass=foreman.bypass.on)
        return {"run": foreman.challenge.state("").run}

    def _challenge_confirm(self, ask: Ask) -> dict[str, Any]:
        """{"removed": true or false, "part": the one that was asked about}: where no sensor confirms it."""
        foreman = self._foreman
        foreman.challenge.confirm(_yes(ask, "removed"), ask.who, utc_now(), now_ns(), _which(ask, "part"))
        return {}

    def _challenge_abort(self, ask: Ask) -> dict[str, Any]:
        """{}."""
        self._foreman.challenge.abort(ask.who)
        return {}

    def _challenge_sign(self, ask: Ask) -> dict[str, Any]:
        """{"run": the one that was seen}, and a reason if there is something to say."""
        self._foreman.challenge.sign(ask.who, utc_now(), ask.reason, _which(ask, "run"))
        return {}

    def _challenge_samples(self, ask: Ask) -> dict[str, Any]:
        """{"recipe": name, "samples": [{"id", "name", "expected": "NG" or "OK", "picture": sha256 or ""}]}."""
        recipe = _text(ask, "recipe")
        parts = parts_of({"samples": ask.body.get("samples")})
        self._foreman.set_samples(recipe, parts, ask.who)
        return as_body(parts)

    def _hold_release(self, ask: Ask) -> dict[str, Any]:
        """{}, and the ask's reason."""
        self._foreman.challenge.release(ask.who, utc_now(), _reason(ask))
        return {}

    # -- change-over -------------------------------------------------------------------------------------------------

    def _change_begin(self, ask: Ask) -> dict[str, Any]:
        """{"number": job} or {"code": what was scanned}."""
        foreman = self._foreman
        if "code" in ask.body:
            code = _text(ask, "code")
            number = foreman.options.job_of(code)
            if number is None:
                raise Refused(f"no product of the settings has the code {code[:80]!r}")
        else:
            number = int(_number(ask, "number", 65535))
        station = foreman.sources.fresh(now_ns())
        if foreman.challenge.phase == "running":
            raise Refused("a challenge test is running: finish it or break it off")
        if lacking := self._unsigned(number, ask.who):
            raise Refused(lacking)
        foreman.changes.begin(number, 0 if station is None else station.job_number, ask.who, utc_now())
        return {"number": number}

    def _change_step(self, ask: Ask) -> dict[str, Any]:
        """{"step": the step one is at, which is done by this; at 3 also "lot"}."""
        foreman, step = self._foreman, int(_number(ask, "step", 6))
        lot = _text(ask, "lot", empty=True) if step == 3 else ""
        begins = foreman.changes.lot if step == 6 else ""
        foreman.changes.complete(step, ask.who, lot)
        if begins:
            foreman.begin_lot(begins, ask.who, utc_now())
        return {"step": foreman.changes.step}

    def _change_abort(self, ask: Ask) -> dict[str, Any]:
        """{}."""
        foreman = self._foreman
        foreman.changes.abort(ask.who, ask.reason)
        foreman.challenge.disturbed("the change-over was broken off")
        return {}


def _text(ask: Ask, name: str, *, empty: bool = False) -> str:
    value = ask.body.get(name, "" if empty else None)
    if not isinstance(value, str) or len(value) > 200 or not (value.strip() or empty):
        raise Refused(f"{ask.name}: {name}: expected a text of up to 200 characters")
    return value.strip()


def _number(ask: Ask, name: str, most: float) -> float:
    value = ask.body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise Refused(f"{ask.name}: {name} = {value!r}: expected a number above 0 and at most {most:g}")
    return value


def _which(ask: Ask, name: str) -> int:
    """A number that says what is meant; 0: whatever there is now."""
    return int(_number(ask, name, 2**53)) if ask.body.get(name) else 0


def _yes(ask: Ask, name: str) -> bool:
    value = ask.body.get(name)
    if not isinstance(value, bool):
        raise Refused(f"{ask.name}: {name} = {value!r}: expected true or false")
    return value


def _reason(ask: Ask) -> str:
    return ask.reason or str(ask.body.get("reason", ""))[:500]


def _tried(act: Callable[[str, str, str], None], key: str, who: str, utc: str) -> bool:
    try:
        act(key, who, utc)
    except Refused:
        return False
    return True
