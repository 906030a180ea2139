"""How a box is let in: it asks, shows a code on its screen, and an administrator who stands before it types the code.

The box makes its own key; what travels is a request. The code lives for 15 minutes and is used once; five wrong ones a
minute and nobody of that name may try on. Who guesses would have to hit one of at most 100 codes among 2^40.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import limits
from .access import Asker
from .authority import Issued, read_csr
from .database import reading, writing
from .deeds import note
from .service import Service
from .tables import Box, Enrolment

LIFE = timedelta(minutes=15)
SYMBOLS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of a code: none that is taken for another on a screen."""
WAITING, APPROVED, REFUSED, EXPIRED = "waiting", "approved", "refused", "expired"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a box is told that asks to be let in."""

    ask: str
    code: str
    expires_at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Too often: come back in so many seconds."""

    seconds: int


def ask(service: Service, csr: str, name: str, line: str, address: str) -> Asked | Wait:
    """A box wants to be let in. BadRequest: its request is none."""
    found, now = read_csr(csr), datetime.now(UTC)
    bounds = service.options.limits
    with writing(service.engine) as db:
        if wait := limits.count(db, f"enrol:{address}", bounds.enrol_asks_a_minute):
            return Wait(wait)
        limits.forget(db)
        db.execute(sa.delete(Enrolment).where(Enrolment.expires_at < now - timedelta(days=1), Enrolment.box.is_(None)))
        waiting = sa.select(sa.func.count()).where(Enrolment.state == WAITING, Enrolment.expires_at > now)
        if db.execute(waiting).scalar_one() >= bounds.waiting_enrolments:
            return Wait(60)
        code = "".join(secrets.choice(SYMBOLS) for _ in range(8))
        made = Enrolment(
            ask=secrets.token_urlsafe(32),
            code_hash=_hashed(service, code),
            csr=found.pem,
            name=name,
            line=line,
            fingerprint=found.fingerprint,
            state=WAITING,
            asked_at=now,
            expires_at=now + LIFE,
        )
        db.add(made)
        return Asked(made.ask, f"{code[:4]}-{code[4:]}", made.expires_at, made.fingerprint)


def look(service: Service, asker: Asker, code: str) -> Enrolment | Wait | None:
    """The box whose screen shows this code; None: no box does. Wrong ones are counted."""
    with writing(service.engine) as db:
        return _found(service, db, asker, code)


def approve(
    service: Service, asker: Asker, code: str, fingerprint: str, name: str, site: str, line: str
) -> str | Wait | None:
    """Let the box in whose screen shows this code and this fingerprint; its id. None: no box shows both."""
    with writing(service.engine) as db:
        found = _found(service, db, asker, code)
        if not isinstance(found, Enrolment):
            return found
        if not hmac.compare_digest(found.fingerprint, fingerprint.lower()):
            return None
        box = f"{_slug(name)}-{secrets.token_hex(4)}"
        issued = service.authority.issue(read_csr(found.csr), box)
        now = datetime.now(UTC)
        db.add(
            Box(
                id=box,
                name=name,
                site=site or service.options.service.site,
                line=line,
                cert_sha256=issued.sha256,
                cert_ends_at=issued.ends_at,
                enrolled_at=now,
            )
        )
        db.flush()
        found.state, found.box, found.certificate, found.decided_by = APPROVED, box, issued.chain, asker.who[:100]
        db.flush()
        detail = {"name": name, "line": line, "fingerprint": found.fingerprint, "certificate": issued.sha256}
        note(db, asker.who, "box let in", f"box:{box}", detail)
        return box


def refuse(service: Service, asker: Asker, code: str) -> bool | Wait:
    """Turn a box away. False: no box shows this code."""
    with writing(service.engine) as db:
        found = _found(service, db, asker, code)
        if isinstance(found, Wait):
            return found
        if found is None:
            return False
        found.state, found.decided_by = REFUSED, asker.who[:100]
        db.flush()
        note(db, asker.who, "box turned away", "", {"name": found.name, "fingerprint": found.fingerprint})
        return True


def state_of(service: Service, ask: str) -> tuple[str, Enrolment] | None:
    """What became of an ask: its state now. None: there is none."""
    with reading(service.engine) as db:
        found = db.get(Enrolment, ask)
    if found is None:
        return None
    over = found.state == WAITING and found.expires_at <= datetime.now(UTC)
    return (EXPIRED if over else found.state), found


def renew(service: Service, box: str, csr: str, shown: str) -> Issued | datetime | None:
    """A new certificate for a box that shows a certificate of its own. A moment: it is too early, come back then.

    The one that is shown stays good until the new one was used: the answer may be lost. None: the box was retired
    meanwhile. BadRequest.
    """
    request = read_csr(csr)
    with writing(service.engine) as db:
        found = db.get(Box, box, with_for_update=True)
        if found is None or found.retired_at is not None or shown not in (found.cert_sha256, found.cert_before):
            return None
        early = found.cert_ends_at - timedelta(days=service.options.authority.days / 3)
        if datetime.now(UTC) < early and found.cert_before is None:
            return early
        issued = service.authority.issue(request, box)
        found.cert_before, found.cert_sha256, found.cert_ends_at = shown, issued.sha256, issued.ends_at
        db.flush()
        note(db, f"box:{box}", "certificate renewed", f"box:{box}", {"certificate": issued.sha256})
        return issued


def retire(service: Service, who: str, box: str) -> bool:
    """Nothing is taken from a box, and nothing given to it, from now on. False: there is none, or it was before."""
    with writing(service.engine) as db:
        found = db.get(Box, box, with_for_update=True)
        if found is None or found.retired_at is not None:
            return False
        found.retired_at = datetime.now(UTC)
        db.flush()
        note(db, who, "box retired", f"box:{box}", {"certificate": found.cert_sha256})
        return True


def _found(service: Service, db: Session, asker: Asker, code: str) -> Enrolment | Wait | None:
    key, most = f"codes:{asker.who}", service.options.limits.wrong_codes_a_minute
    if wait := limits.used_up(db, key, most):
        return Wait(wait)
    typed = re.sub(r"[^0-9A-Z]", "", code.upper())[:16]
    found = db.execute(
        sa.select(Enrolment)
        .where(Enrolment.code_hash == _hashed(service, typed), Enrolment.state == WAITING)
        .where(Enrolment.expires_at > datetime.now(UTC))
        .with_for_update()
    ).scalar()
    if found is None:
        limits.count(db, key, most)
    return found


def _hashed(service: Service, code: str) -> str:
    """Found by equality of a keyed hash: how long the look-up takes says nothing of the code."""
    return hmac.new(service.key, b"enrolment " + code.encode(), hashlib.sha256).hexdigest()


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30].strip("-") or "box"
