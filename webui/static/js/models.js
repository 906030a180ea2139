// Models: looking ahead, putting in place, taking back. The workshop does the work; here it is asked and shown.
import "./frame.js";
import { newId, post } from "./posting.js";
import { filled, makeShape, shapeOf } from "./words.js";
import { followed } from "./work.js";

const root = /** @type {HTMLElement} */ (document.getElementById("models"));
const words = JSON.parse(root.dataset.say ?? "{}");
const job = Number(root.dataset.job);
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

/** @param {any} answer */
const said = (answer) => (answer.silent ? words.silent : answer.refused ? words.not_allowed : answer.detail || answer.words || "");

/** @param {any} answer @returns {boolean} */
function told(answer) {
  $("trouble").hidden = answer.done;
  $("trouble-text").textContent = answer.done ? "" : said(answer);
  return answer.done;
}

/** @param {string} work @returns {Promise<any>} what it came to; null: nothing */
async function follow(work) {
  $("ahead").hidden = false;
  $("progress").hidden = false;
  const answer = await followed(`${root.dataset.work}?work=${work}`, (now) => {
    if (!now.work) return;
    $("progress").value = now.work.share;
    if (now.work.state !== "failed") $("ahead-words").textContent = now.words;
  });
  if (answer.done) $("progress").hidden = true;
  else if (!answer.refused) $("ahead").hidden = true;
  return told(answer) ? answer : null;
}

/** @param {object} asked */
async function look(asked) {
  $("flips").replaceChildren();
  $("agreement").hidden = true;
  const begun = await post(root.dataset.look ?? "", { job, ...asked });
  if (!told(begun)) return false;
  const answer = await follow(begun.work);
  if (answer) show(answer.result, answer.thumbs);
  return Boolean(answer);
}

/** @param {any} result @param {Record<string, string>} thumbs */
function show(result, thumbs) {
  const n = result.looked_at;
  const values = { n, flips: result.flips.length, pass: result.pass_more, reject: result.reject_more };
  $("ahead-words").textContent = filled(!n ? words.nopast : result.flips.length ? words.flips : words.none, values);
  const columns = ["OK", "NG", "UNJUDGED"];
  for (const row of columns) {
    const cells = document.querySelectorAll(`[data-row="${row}"] td`);
    columns.forEach((column, at) => (cells[at].textContent = String(result.agreement[row][column])));
  }
  $("agreement").hidden = !n;
  $("flips").replaceChildren(...result.flips.map((/** @type {any} */ one) => flip(one, thumbs[one.seq])));
}

/** @param {any} one @param {string | undefined} thumb */
function flip(one, thumb) {
  const link = document.createElement("a");
  link.className = "models-flip";
  link.href = `${root.dataset.part}${one.seq}`;
  if (thumb) {
    const image = document.createElement("img");
    image.alt = "";
    image.loading = "lazy";
    image.src = thumb;
    link.append(image);
  }
  const head = document.createElement("span");
  head.textContent = `${words.part} ${one.part}`;
  link.append(head, outcome(words.now, one.before), outcome(words.then, one.after));
  return link;
}

/** @param {string} when @param {any} word */
function outcome(when, word) {
  const line = document.createElement("span");
  line.append(`${when} `, makeShape(shapeOf[/** @type {"OK"} */ (word.outcome)]), `${words[word.outcome]} ${word.score.toFixed(2)} / ${word.threshold.toFixed(2)}`);
  return line;
}

/** @param {Element} key */
const valueOf = (key) => Number(/** @type {HTMLInputElement} */ (key.closest(".models-region")?.querySelector("input")).value);

/** What the dialog does when it is confirmed. @type {() => Promise<any>} */
let wanted = async () => ({ done: true });

/** @param {string} title @param {string} what @param {() => Promise<any>} todo */
function confirmed(title, what, todo) {
  $("confirm-title").textContent = title;
  $("confirm-do").textContent = title;
  $("confirm-what").textContent = what;
  $("confirm-trouble").hidden = true;
  wanted = todo;
  $("confirm").showModal();
}

const more = () => ({
  reason: $("reason").value,
  region: $("for-region")?.value ?? "",
  second: root.dataset.four ? { who: $("second").value, secret: $("second-pin").value } : null,
  id: newId(),
});

$("confirm-do").addEventListener("click", async () => {
  $("confirm-do").disabled = true;
  const answer = await wanted();
  $("confirm-do").disabled = false;
  if ($("second-pin")) $("second-pin").value = "";
  if (!answer.done) {
    $("confirm-trouble").hidden = false;
    $("confirm-trouble").textContent = said(answer);
    return;
  }
  $("confirm").close();
  if (!answer.work) return finished(answer, words.saved);
  const ended = await follow(answer.work);
  if (ended) finished(ended.result, words.done);
});

/** @param {any} result @param {string} text */
function finished(result, text) {
  $("ahead").hidden = true;
  $("done").hidden = false;
  $("done-text").textContent = filled(text, { job: result.job, file: result.file });
  for (const key of document.querySelectorAll("#models button")) /** @type {HTMLButtonElement} */ (key).disabled = true;
}

document.addEventListener("click", async (event) => {
  const key = /** @type {HTMLElement} */ (event.target).closest("button");
  if (!key) return;
  const { preview, compare, activate, save } = key.dataset;
  if (preview) {
    key.disabled = true;
    const done = await look({ region: preview, threshold: valueOf(key) });
    key.disabled = false;
    const saves = key.closest(".models-region")?.querySelector("[data-save]");
    if (done && saves instanceof HTMLButtonElement) saves.disabled = false;
  } else if (compare) {
    key.disabled = true;
    await look({ bundle: compare, region: $("for-region")?.value ?? "" });
    key.disabled = false;
  } else if (activate) {
    confirmed(words.activate, key.dataset.name ?? "", () => post(root.dataset.activate ?? "", { job, bundle: activate, ...more() }));
  } else if (save) {
    const threshold = valueOf(key);
    confirmed(key.textContent ?? "", `${save}: ${threshold}`, () => post(root.dataset.threshold ?? "", { ...more(), job, region: save, threshold }));
  } else if (key.id === "back") {
    confirmed(words.back, "", () => post(root.dataset.back ?? "", { job, ...more() }));
  }
});
