// What is counted on the Run screen: totals and their whys, rate, trend, Pareto; lot, next test, reject lamp.
import { events, localTime } from "./frame.js";
import { say, setShape, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const SVG = "http://www.w3.org/2000/svg";
const ROW_ALARMS = 2;

events.on("counters", (count) => {
  if (!count.known) return;
  for (const name of ["triggers", "ok", "rejected", "ng", "unjudged", "challenge", "bypass"]) say(`n-${name}`, String(count[name]));
  byId("why-challenge").hidden = !count.challenge;
  byId("why-bypass").hidden = !count.bypass;
  say("balance", count.balanced ? `✓ ${word("balanced")}` : `✕ ${word("unbalanced")}`);
  byId("balance").classList.toggle("broken", !count.balanced);
  say("yield", count.yield === null ? "–" : `${(count.yield * 100).toFixed(1)} %`);
  const time = localTime(Date.parse(count.since), false);
  say("yield-since", word(count.whole ? "since" : "since_at_least", { time }));
  say("rate", count.rate === null ? "" : word("run.rate", { rate: count.rate.toFixed(count.rate < 100 ? 1 : 0) }));
  byId("in-a-row").hidden = count.consecutive_ng < ROW_ALARMS;
  say("in-a-row", word("run.row", { count: count.consecutive_ng }));
  drawTrend(count.trend);
  drawPareto(count.pareto);
});

function drawTrend(/** @type {number[][]} */ trend) {
  const svg = byId("trend");
  const most = Math.max(1, ...trend.map(([, ok, ng, unjudged]) => ok + ng + unjudged));
  const bars = [];
  for (const [ago, ok, ng, unjudged] of trend) {
    let top = 60;
    for (const [kind, count] of /** @type {[string, number][]} */ ([["ng", ng], ["unjudged", unjudged], ["ok", ok]])) {
      if (!count) continue;
      const height = Math.max(1.5, (count / most) * 56);
      top -= height;
      const bar = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ x: (59 - ago) * 6, y: top, width: 5, height, class: `t-${kind}` })) {
        bar.setAttribute(name, String(value));
      }
      bars.push(bar);
    }
  }
  svg.replaceChildren(...bars);
}

/** @param {[string, string, number, string][]} rows class, region, parts, the class in words */
function drawPareto(rows) {
  const list = byId("pareto");
  const most = Math.max(1, ...rows.map((row) => row[2]));
  const lines = rows.map(([kind, region, count, words]) => {
    const line = document.createElement("li");
    const bar = document.createElementNS(SVG, "svg");
    bar.setAttribute("viewBox", "0 0 100 10");
    bar.setAttribute("preserveAspectRatio", "none");
    bar.setAttribute("aria-hidden", "true");
    const fill = document.createElementNS(SVG, "rect");
    fill.setAttribute("width", String((count / most) * 100));
    fill.setAttribute("height", "10");
    bar.append(fill);
    const name = document.createElement("span");
    // What was seen by a model that knows no classes is told by its place.
    name.textContent = (kind === "anomaly" ? [region || words] : [words ?? kind, region]).filter(Boolean).join(" · ") || "–";
    const number = document.createElement("b");
    number.textContent = String(count);
    line.append(bar, name, number);
    return line;
  });
  if (!lines.length) {
    const none = document.createElement("li");
    none.className = "label";
    none.textContent = word("run.pareto_none");
    lines.push(none);
  }
  list.replaceChildren(...lines);
}

// ---- lot, next test

const PHASES = { due: "run.test_due", running: "run.test_running", failed: "run.test_failed", unsigned: "run.test_unsigned", off: "run.test_off" };

events.on("shift", (shift) => {
  if (!shift.known) {
    say("strip-lot", word("run.shift_unknown"));
    say("strip-test", "");
    byId("strip-test").dataset.phase = "";
    return;
  }
  say("strip-lot", shift.lot ? word("run.lot", { lot: shift.lot, time: shift.lot_since ? localTime(Date.parse(shift.lot_since), false) : "–" }) : word("run.no_lot"));
  const { phase, next_due: due } = shift.challenge;
  const known = PHASES[/** @type {"due"} */ (phase)];
  say("strip-test", known ? word(known) : due ? word("run.test_next", { time: localTime(Date.parse(due), false) }) : "");
  byId("strip-test").dataset.phase = phase;
});

// ---- was the last reject removed?

events.on("film", (film) => {
  const last = film.tiles[0];
  const lamp = byId("lamp");
  const said = !last ? "" : last.confirmed === true ? "yes" : last.confirmed === false || last.delivery === "unconfirmed" ? "no" : "none";
  lamp.dataset.lamp = said;
  setShape(lamp, { yes: "check", no: "octagon" }[said] ?? "dash");
  const words = { yes: "run.confirmed", no: "run.not_confirmed", none: "run.no_eye" }[said];
  say("lamp-word", words ? `${word(words)}: ${last.part}` : "");
});
