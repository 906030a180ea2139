// The alarm band of every page: the highest alarm that waits for somebody, or why the line does not inspect.
import { csrfHeaders } from "./posting.js";
import { say, setShape, word } from "./words.js";

const GRACE_MS = 5000;
const SAID_MS = 6000;
const QUIET = ["shelved", "suppressed", "out of service"];
const WAITING = ["unacknowledged", "returned"];
const LOUD = 2;
/** What is over by itself is not shown in the colour of what is urgent. */
const OVER = 2;

/** @param {number} ms */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What the band shows. @param {any} state @param {any} shift @param {boolean} patient */
export function chosen(state, shift, patient) {
  const reasons = state?.reasons ?? [];
  const line = state && !state.inspecting && reasons.length ? reasons[0] : null;
  if (shift?.known) {
    const open = shift.alarms.filter((/** @type {any} */ one) => !QUIET.includes(one.state));
    const waits = open.filter((/** @type {any} */ one) => WAITING.includes(one.state));
    const first = waits[0] ?? null;
    if (first) return { alarm: first, waits: true, line, count: open.length };
    if (line) return { reason: line, since: state.since, more: reasons.length - 1, count: open.length };
    const loud = open.find((/** @type {any} */ one) => one.active && one.priority <= LOUD);
    if (loud) return { alarm: loud, waits: false, line: null, count: open.length };
    if (reasons.length) return { reason: reasons[0], since: state.since, more: reasons.length - 1, count: open.length };
    return null;
  }
  const unkept = shift && !shift.known && !patient;
  if (reasons.length) {
    return { reason: reasons[0], since: state.since, more: reasons.length - 1, count: 0, unkept };
  }
  return unkept ? { reason: { what: word("alarms.unkept"), todo: word("alarms.unkept.todo") }, more: 0, count: 0 } : null;
}

/** @param {import("./events.js").Events} events @param {() => number} now milliseconds of the box's clock */
export function startBand(events, now) {
  const band = /** @type {HTMLElement} */ (document.getElementById("band"));
  const key = /** @type {HTMLButtonElement} */ (document.getElementById("band-ack"));
  const begun = performance.now();
  /** @type {any} */ let state = null;
  /** @type {any} */ let shift = null;
  /** @type {any} */ let shown = null;
  let since = 0;
  let saidUntil = 0;

  function show() {
    shown = chosen(state, shift, performance.now() - begun < GRACE_MS);
    band.hidden = !shown;
    if (!shown) {
      since = 0;
      return;
    }
    const alarm = shown.alarm;
    const over = alarm?.state === "returned" && !alarm.latched && !alarm.once;
    band.dataset.kind = alarm ? String(over ? Math.max(OVER, alarm.priority) : alarm.priority) : "line";
    band.dataset.waits = shown.waits ? "yes" : "no";
    setShape(/** @type {Element} */ (document.getElementById("band-icon")), alarm?.shape ?? "triangle");
    say("band-what", alarm ? alarm.what : shown.reason.what);
    if (performance.now() > saidUntil) {
      say("band-todo", over ? word("alarm.over") : alarm ? alarm.todo : shown.reason.todo);
    }
    since = Date.parse(alarm ? alarm.since : (shown.since ?? "")) || 0;
    say("band-more", alarm ? stateWords(alarm) : shown.more > 0 ? word("more", { count: shown.more }) : "");
    const second = shown.line && shown.line.what !== alarm?.what ? word("line.reason", { what: shown.line.what }) : "";
    const third = second || (shown.unkept ? word("alarms.unkept") : "");
    const line = /** @type {HTMLElement} */ (document.getElementById("band-line"));
    line.hidden = !third;
    line.textContent = third;
    band.dataset.lines = third ? "3" : "2";
    key.hidden = !shown.waits || band.dataset.may === "no"; // an administrator has no say in what the line does
    say("band-count", shown.count ? String(shown.count) : "");
    tick();
    fit();
  }

  function tick() {
    say("band-age", since && now() ? word("for", { age: age(now() - since) }) : "");
  }

  /** Words that are too long for large letters get smaller ones; the keys keep their place. */
  function fit() {
    const [what, todo] = [band.querySelector(".band-what"), band.querySelector(".band-todo")];
    if (!what || !todo) return;
    band.dataset.long = "no";
    band.dataset.short = band.dataset.lines === "2" ? "yes" : "no";
    if (todo.scrollWidth > todo.clientWidth) band.dataset.short = "no";
    if (what.scrollWidth > what.clientWidth) band.dataset.long = "yes";
  }

  async function acknowledge() {
    if (!shown?.alarm) return;
    key.disabled = true;
    try {
      const body = new URLSearchParams({ key: shown.alarm.key });
      const headers = { Accept: "application/json", ...csrfHeaders() };
      const answer = await fetch(band.dataset.ack ?? "", { method: "POST", body, headers });
      if (answer.status === 401) {
        const back = new URLSearchParams({ next: location.pathname + location.search });
        location.assign(`${band.dataset.signIn}?${back}`);
        return;
      }
      if (answer.status === 403) return complain(word("not_allowed"));
      const said = await answer.json();
      if (!said.done) complain(said.detail);
    } catch {
      complain(word("no_answer"));
    } finally {
      key.disabled = false;
    }
  }

  /** @param {string} text */
  function complain(text) {
    saidUntil = performance.now() + SAID_MS;
    say("band-todo", text);
    setTimeout(show, SAID_MS + 50);
  }

  events.on("state", (said) => {
    state = said;
    show();
  });
  events.on("shift", (said) => {
    shift = said;
    show();
  });
  key.addEventListener("click", acknowledge);
  setTimeout(show, GRACE_MS + 50);
  setInterval(tick, 250);
}

/** @param {any} alarm */
function stateWords(alarm) {
  if (alarm.state === "returned" && !alarm.once) return word("alarm.returned");
  if (alarm.state === "latched") return word("alarm.latched");
  return alarm.count > 1 ? word("alarm.count", { count: alarm.count }) : "";
}
