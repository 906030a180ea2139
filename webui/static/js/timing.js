// The timing page: parts as they come, the sum with its figures, and a key that fires the gate while it is held.
import { events } from "./frame.js";
import "./pad.js";
import { pieceOf } from "./piece.js";
import { post } from "./posting.js";
import { say, teller } from "./words.js";

const root = /** @type {HTMLElement} */ (document.getElementById("timing"));
const shown = JSON.parse(/** @type {string} */ (root.dataset.shown));
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const tell = teller(shown.words);
const short = (/** @type {number} */ value) => String(Number(Number(value).toFixed(1)));

// -- the last parts ---------------------------------------------------------------------------------------------------

let due = false;
let triggers = -1;
events.on("counters", (count) => {
  if (triggers >= 0 && count.triggers !== triggers) due = true;
  triggers = count.triggers;
});
setInterval(async () => {
  if (!due || document.hidden) return;
  due = false;
  try {
    $("parts").replaceChildren(...(await pieceOf(shown.urls.parts)));
  } catch {
    due = true;
  }
}, 1000);

// -- steps ------------------------------------------------------------------------------------------------------------

const tabs = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[role=tab]")]);
let step = 0;
function go(/** @type {number} */ to) {
  step = Math.min(Math.max(to, 0), tabs.length - 1);
  tabs.forEach((tab, at) => {
    tab.setAttribute("aria-selected", String(at === step));
    $(`step-${at + 1}`).hidden = at !== step;
  });
  $("back").disabled = step === 0;
  $("next").disabled = step === tabs.length - 1;
}
tabs.forEach((tab, at) => tab.addEventListener("click", () => go(at)));
$("back").addEventListener("click", () => go(step - 1));
$("next").addEventListener("click", () => go(step + 1));

const figures = () => Object.fromEntries([...root.querySelectorAll("[data-figure]")].map((each) => [each.id, Number(/** @type {HTMLInputElement} */ (each).value)]));
const asked = () => ({ ...figures(), margin_ms: shown.margin_ms });

for (const id of ["counts", "per_mm"]) {
  $(id).addEventListener("input", () => {
    const speed = Number($("counts").value) / Number($("per_mm").value);
    if (Number.isFinite(speed) && speed > 0) $("max_speed_mm_s").value = short(speed);
    void check();
  });
}
root.addEventListener("input", (event) => /** @type {HTMLElement} */ (event.target).hasAttribute("data-figure") && void check());

let round = 0;
async function check() {
  const mine = ++round;
  const given = asked();
  const answer = await post(shown.urls.check, given);
  if (mine !== round) return;
  const notice = $("verdict");
  if (!answer.done) {
    notice.className = "notice warn";
    say("verdict", answer.refused === 400 ? "–" : answer.detail || tell("silent"));
    $("save").disabled = true;
    return;
  }
  const { sum, measured, io } = answer;
  notice.className = sum.fits ? "notice" : "notice bad";
  say("verdict", tell(sum.fits ? "fits" : "short", { left: short(Math.abs(sum.left_ms)) }));
  root.dataset.fits = String(sum.fits);
  root.dataset.sum = JSON.stringify(sum);
  const lines = [
    tell("has", { distance: short(given.eye_to_gate_mm), speed: short(given.max_speed_mm_s), has: short(sum.has_ms) }),
    tell("promised", { deadline: short(given.deadline_ms), margin: short(sum.margin_ms), promised: short(sum.promised_ms) }),
    measured
      ? tell("seen", { whole: short(measured.whole_ms), valve: short(given.valve_ms), spare: short(given.spare_ms), sum: short(measured.whole_ms + given.valve_ms + given.spare_ms), parts: measured.parts, kind: tell(measured.exact ? "exact" : "longest") })
      : tell("unseen"),
  ];
  if (measured) {
    lines.push(tell("margin", { answer: short(measured.answer_ms), valve: short(given.valve_ms), spare: short(given.spare_ms) }));
    lines.push(tell("decision", { decision: short(measured.decision_ms), deadline: short(given.deadline_ms) }));
  }
  lines.push(tell("top", { top: Math.floor(sum.top_speed_mm_s) }));
  if (given.eye_to_camera_mm > 0) lines.push(tell("delay", { distance: short(given.eye_to_camera_mm), speed: short(given.max_speed_mm_s), late: short(measured?.exposure_ms ?? 0), delay: sum.camera_delay_us }));
  lines.push(tell("air", { air: short(sum.air_mm) }));
  lines.push(io.done ? tell("io", { left: short(io.left_ms) }) : io.detail);
  $("formula").replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  $("save").disabled = !sum.fits || !shown.base;
}

$("save").addEventListener("click", async () => {
  $("save").disabled = true;
  const cameras = [...root.querySelectorAll("input[name=camera]:checked")].map((each) => /** @type {HTMLInputElement} */ (each).value);
  const answer = await post(shown.urls.save, { ...asked(), base: shown.base, job: shown.job, cameras, old: shown.start, reason: $("reason").value });
  if (!answer.done) {
    say("saved", answer.refused ? tell("refused") : answer.detail || tell("silent"));
    return check();
  }
  shown.base = answer.revision;
  say("saved", tell("saved", { revision: answer.revision, job: answer.job }));
  $("save").disabled = false;
});

// -- hold to run ------------------------------------------------------------------------------------------------------

const AGAIN_MS = 200;
/** @type {number | undefined} */
let timer;
/** @type {HTMLElement | null} */
let held = null;

async function fire(first = false) {
  const key = held;
  if (!key) return;
  const answer = await post(shown.urls.pulse, { gate: key.dataset.gate, first });
  if (held !== key) return;
  if (!answer.done) {
    stop();
    say("pulse", answer.refused ? tell("refused") : answer.detail || tell("silent"));
  } else say("pulse", tell("firing"));
}

function stop() {
  clearInterval(timer);
  if (!held) return;
  held.classList.remove("firing");
  held = null;
  say("pulse", tell("let_go"));
}

for (const key of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-gate]"))) {
  key.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stop();
    key.setPointerCapture(event.pointerId);
    held = key;
    key.classList.add("firing");
    void fire(true);
    timer = setInterval(() => void fire(), AGAIN_MS);
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) key.addEventListener(name, stop);
  key.addEventListener("contextmenu", (event) => event.preventDefault());
}
window.addEventListener("blur", stop);
window.addEventListener("pagehide", stop);
document.addEventListener("visibilitychange", stop);

go(0);
void check();
