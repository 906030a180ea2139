// Trends: draws the series, follows a finger over them, and asks again while parts come.
import { events, localTime } from "./frame.js";
import { pieceOf } from "./piece.js";

const EVERY_MS = 30000;
const HEIGHT = 190;
const body = /** @type {HTMLElement} */ (document.getElementById("trends"));
/** @type {Record<string, any> | null} */
let series = null;
/** @type {any[]} */
let plots = [];
let parts = -1;
let due = false;
let busy = false;

/** A colour of the tokens. @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** What each chart shows: columns, their looks, and the unit. */
function shapes() {
  const ink = colour("ink");
  const soft = colour("ink-soft");
  const warn = colour("advice");
  const thin = { stroke: soft, width: 1, dash: [6, 5] };
  return {
    yield: { unit: "%", rows: [["share", { stroke: ink, width: 2 }]] },
    latency: { unit: "ms", low: 0, rows: [["p50", { stroke: soft, width: 2 }], ["p99", { stroke: ink, width: 2, dash: [10, 4] }]] },
    chart: {
      unit: "%",
      low: 0,
      rows: [
        ["share", { stroke: ink, width: 2 }],
        ["mean", { stroke: soft, width: 1 }],
        ["low", thin],
        ["high", thin],
        ["out", { stroke: warn, width: 0, points: { show: true, size: 14, fill: warn, stroke: warn } }],
      ],
    },
    drift: { unit: "%", rows: [["mean", { stroke: soft, width: 1, points: { show: true, size: 5 } }], ["ewma", { stroke: ink, width: 3 }], ["limit", thin]] },
  };
}

/** @param {number} seconds */
function clock(seconds, days = false) {
  const time = localTime(seconds * 1000, false);
  return days ? `${new Date(seconds * 1000).getDate()}. ${time}` : time;
}

/** One chart in a box. @param {HTMLElement} box @param {any} shape @param {any} columns */
function draw(box, shape, columns) {
  box.replaceChildren();
  if (!columns.t.length) {
    box.textContent = "–";
    return null;
  }
  const told = document.createElement("div");
  told.className = "plot-told";
  const days = series ? series.until - series.since > 90000 : false;
  const data = [columns.t, ...shape.rows.map((/** @type {any[]} */ row) => columns[row[0]])];
  const font = `${Math.round(17 * unit())}px ${colour("font")}`;
  const axis = { font, stroke: colour("ink-soft"), grid: { stroke: colour("plot"), width: 1 }, ticks: { show: false } };
  const values = data.slice(1).flat().filter((value) => value !== null);
  const options = {
    width: box.clientWidth,
    height: Math.round(HEIGHT * unit()),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 10 } },
    scales: {
      x: { time: true, range: [series?.since ?? columns.t[0], series?.until ?? columns.t.at(-1)] },
      y: { range: span(values, shape) },
    },
    axes: [
      { ...axis, space: 110, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((one) => clock(one, days)) },
      { ...axis, size: Math.round(76 * unit()), values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((one) => `${+one.toFixed(2)} ${shape.unit}`) },
    ],
    series: [{}, ...shape.rows.map((/** @type {any[]} */ row) => ({ points: { show: columns.t.length < 3 }, spanGaps: false, ...row[1] }))],
    hooks: {
      setCursor: [
        (/** @type {any} */ plot) => {
          const at = plot.cursor.idx;
          const words = shape.rows.map((/** @type {any[]} */ row, /** @type {number} */ n) => plot.data[n + 1][at ?? -1]);
          const first = words.find((/** @type {any} */ value) => value !== null && value !== undefined);
          told.textContent = at === null || first === undefined ? "" : `${clock(plot.data[0][at], days)}  ${label(shape, words)}`;
        },
      ],
    },
  };
  // @ts-ignore uPlot is a plain script.
  const plot = new window.uPlot(options, data, box);
  box.append(told);
  for (const kind of ["touchstart", "touchmove"]) {
    plot.over.addEventListener(kind, (/** @type {TouchEvent} */ event) => {
      const edge = plot.over.getBoundingClientRect();
      plot.setCursor({ left: event.touches[0].clientX - edge.left, top: event.touches[0].clientY - edge.top });
    }, { passive: true });
  }
  return plot;
}

/** @param {any} shape @param {any[]} words */
function label(shape, words) {
  return shape.rows
    .map((/** @type {any[]} */ row, /** @type {number} */ n) => [row[0], words[n]])
    .filter((/** @type {any[]} */ pair) => pair[1] !== null && pair[1] !== undefined && pair[0] !== "out")
    .map((/** @type {any[]} */ pair) => (shape.rows.length > 1 ? `${pair[0]} ` : "") + `${pair[1]} ${shape.unit}`)
    .join(" · ");
}

/** Room above and below. @param {number[]} values @param {any} shape */
function span(values, shape) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const room = Math.max((most - least) * 0.12, most * 0.02, 0.05);
  return [Math.max(0, shape.low ?? least - room), most + room];
}

function unit() {
  return Math.max(1, Math.min(innerWidth / 1280, innerHeight / 800));
}

function drawAll() {
  for (const plot of plots) plot?.destroy();
  const all = /** @type {Record<string, any>} */ (shapes());
  plots = [...body.querySelectorAll(".plot-box")].map((box) => {
    const name = /** @type {HTMLElement} */ (box).dataset.plot ?? "";
    return series ? draw(/** @type {HTMLElement} */ (box), all[name], series[name]) : null;
  });
  body.dataset.drawn = String(Number(body.dataset.drawn ?? 0) + 1);
}

async function ask() {
  const answer = await fetch(/** @type {string} */ (body.dataset.series), { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  series = await answer.json();
}

async function again() {
  if (!due || busy || document.hidden) return;
  [due, busy] = [false, true];
  try {
    const cards = await pieceOf(/** @type {string} */ (body.dataset.body));
    await ask();
    const top = body.scrollTop;
    body.replaceChildren(...cards);
    drawAll();
    body.scrollTop = top;
  } catch {
    due = true; // What is there stays; the guard over the events says when the server is gone.
  } finally {
    busy = false;
  }
}

events.on("counters", (count) => {
  if (parts >= 0 && count.triggers !== parts) due = true;
  parts = count.triggers;
});

let clockKnown = false;
events.on("heartbeat", () => {
  if (clockKnown || !series) return;
  clockKnown = true; // The first beat says the box's zone: the axes are written by it.
  drawAll();
});

addEventListener("resize", drawAll);
setInterval(again, EVERY_MS);
ask().then(drawAll, () => {});
