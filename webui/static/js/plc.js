// The PLC page: signals asked of io twice a second while somebody looks, lamps, counters, and a force in two steps.
import "./frame.js";
import { post } from "./posting.js";
import { makeShape, say, teller } from "./words.js";

const root = /** @type {HTMLElement} */ (document.getElementById("plc"));
const shown = JSON.parse(/** @type {string} */ (root.dataset.shown));
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const tell = teller(shown.words);
const EVERY_MS = 500;
const FRESH_MS = 1500;
const FAST = new Set(["HB", "PLC_HB", "heartbeat", "encoder"]);

function lamp(/** @type {string} */ id, /** @type {boolean} */ on, /** @type {string} */ text) {
  const place = $(id);
  place.className = on ? "lamp" : "lamp off";
  place.replaceChildren(makeShape(on ? "check" : "triangle"), text);
}

function trouble(/** @type {any} */ answer) {
  const text = answer.done ? "" : answer.refused ? tell("refused") : answer.detail || tell("silent");
  $("trouble").hidden = !text;
  say("trouble-text", text);
  root.classList.toggle("stale-table", !answer.done);
}

function table(/** @type {string} */ id, /** @type {any[]} */ rows) {
  const lines = rows.map((each) => {
    const line = document.createElement("tr");
    line.dataset.name = each.name;
    line.classList.toggle("on", each.value === 1 && each.name === each.name.toUpperCase());
    line.classList.toggle("fresh", each.age_ms < FRESH_MS && !FAST.has(each.name));
    const name = document.createElement("td");
    name.append(each.name);
    if (shown.meanings[each.name]) name.append(Object.assign(document.createElement("small"), { textContent: shown.meanings[each.name] }));
    const value = Object.assign(document.createElement("td"), { className: "number", textContent: each.value === null ? "–" : String(each.value) });
    const age = Object.assign(document.createElement("td"), { className: "number", textContent: FAST.has(each.name) ? "" : tell("since", { age: each.age_ms < 10000 ? (each.age_ms / 1000).toFixed(1) : Math.round(each.age_ms / 1000) }) });
    line.append(name, value, age);
    return line;
  });
  root.querySelector(`#${id} tbody`)?.replaceChildren(...lines);
}

/** Counts and their names. @param {string} id @param {string} words @param {[string, any][]} counts */
function writeCounts(id, words, counts) {
  const made = (/** @type {string} */ tag, /** @type {string} */ textContent) => Object.assign(document.createElement(tag), { textContent });
  $(id).replaceChildren(...counts.flatMap(([name, count]) => [made("dt", tell(`${words}.${name}`)), made("dd", String(count))]));
}

async function look() {
  if (document.hidden) return;
  const answer = await fetch(shown.urls.look, { headers: { Accept: "application/json" }, cache: "no-store" }).then((one) => (one.ok ? one.json() : { done: false, refused: one.status }), () => ({ done: false, silent: true }));
  trouble(answer);
  root.dataset.done = String(answer.done);
  const station = answer.station ?? { heard: false };
  lamp("box-lamp", station.heard === true, tell(station.heard ? "box.alive" : "box.dead"));
  lamp("plc-lamp", station.heard && station.plc_alive, tell(station.heard && station.plc_alive ? "plc.alive" : "plc.dead"));
  lamp("ready-lamp", station.heard && station.ready, tell(station.heard && station.ready ? "ready" : "notready"));
  if (station.counters) {
    say("line", tell("state", { state: station.state, job: station.job, fault: station.fault }));
    writeCounts("counters", "counter", station.counters);
  }
  if (!answer.done) return;
  const wire = answer.wire ?? {};
  if (wire.role) {
    say("wire", tell("wire", { role: wire.role, place: wire.place, state: tell(wire.connected ? "connected" : "apart") }));
    const figures = Object.entries(wire).filter(([name]) => shown.words[`wire.${name}`]);
    writeCounts("wire-counts", "wire", figures);
  }
  for (const direction of ["out", "in"]) table(direction, answer.signals.filter((/** @type {any} */ each) => each.direction === direction));
  offer(answer.offered ?? [], answer.forced ?? []);
}

function offer(/** @type {string[]} */ names, /** @type {string[]} */ forced) {
  const list = $("output");
  if (!list) return;
  const known = [...list.options].map((/** @type {HTMLOptionElement} */ each) => each.value);
  if (known.join() !== names.join()) list.replaceChildren(...names.map((name) => new Option(name, name)));
  ready();
  $("force-list").replaceChildren(
    ...(forced.length ? forced : [""]).map((each) => {
      const line = document.createElement("div");
      if (!each) {
        line.textContent = tell("none");
        return line;
      }
      const end = Object.assign(document.createElement("button"), { type: "button", className: "key", textContent: tell("let_go") });
      end.addEventListener("click", async () => trouble(await post(shown.urls.force, { output: each.split("=")[0], on: false })));
      line.append(each, end);
      return line;
    }),
  );
}

let seconds = 5;
const keys = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-seconds]")]);
for (const key of keys) {
  key.addEventListener("click", () => {
    seconds = Number(key.dataset.seconds);
    for (const each of keys) each.setAttribute("aria-checked", String(each === key));
  });
}
const ready = () => ($("force").disabled = !$("output").value || $("reason").value.trim().length < 3);
$("reason")?.addEventListener("input", ready);
$("force")?.addEventListener("click", () => {
  say("sure-title", tell("force", { output: $("output").value, seconds }));
  $("sure").showModal();
});
$("sure-yes").addEventListener("click", async () => {
  $("sure").close();
  trouble(await post(shown.urls.force, { output: $("output").value, on: true, seconds, reason: $("reason").value.trim() }));
  await look();
});

async function run() {
  await look();
  setTimeout(run, EVERY_MS);
}
void run();
