// Teach: the shutter, the film of what was taken, the progress of long work. All that counts lies in the workshop.
import "./frame.js";
import { newId, post, postLast } from "./posting.js";
import { filled, makeShape } from "./words.js";
import { followed } from "./work.js";

const root = /** @type {HTMLElement} */ (document.getElementById("teach"));
const words = JSON.parse(root.dataset.say ?? "{}");
const flags = JSON.parse(root.dataset.flags ?? "{}");
const base = root.dataset.base ?? "";
const GONE_MS = 4000;
const $ = (/** @type {string} */ id) => document.getElementById(id);

/** @param {any} answer @returns {boolean} it was done */
function told(answer) {
  const text = answer.done ? "" : answer.silent ? words.silent : answer.refused ? words.not_allowed : answer.detail;
  /** @type {HTMLElement} */ ($("trouble")).hidden = answer.done;
  /** @type {HTMLElement} */ ($("trouble-text")).textContent = text;
  return answer.done;
}

/** @param {string} step */
function go(step) {
  location.assign(`${base}?step=${step}`);
}

// -- live picture -----------------------------------------------------------------------------------------------------

async function live() {
  const stage = document.querySelector("[data-live]");
  const image = /** @type {HTMLImageElement | null} */ ($("live"));
  if (!(stage instanceof HTMLElement) || !image) return;
  let after = 0;
  for (;;) {
    try {
      const answer = await fetch(`${stage.dataset.live}?after=${after}`, { cache: "no-store" });
      if (answer.status === 200) {
        after = Number(answer.headers.get("X-Number") ?? 0);
        const url = URL.createObjectURL(await answer.blob());
        const old = image.src;
        image.src = url;
        image.hidden = false;
        stage.classList.add("has-picture");
        if (old.startsWith("blob:")) URL.revokeObjectURL(old);
      }
      await pause(answer.status === 200 ? 100 : 500);
    } catch {
      await pause(1000);
    }
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// -- taking and removing pictures -------------------------------------------------------------------------------------

const shutter = /** @type {HTMLButtonElement | null} */ ($("shutter"));
document.addEventListener("click", (event) => {
  const choice = /** @type {HTMLElement} */ (event.target).closest("[data-choose]");
  if (!(choice instanceof HTMLElement) || !shutter) return;
  for (const each of document.querySelectorAll("[data-choose]")) each.setAttribute("aria-pressed", String(each === choice));
  shutter.dataset.role = choice.dataset.choose;
});

shutter?.addEventListener("click", async () => {
  shutter.disabled = true;
  const answer = await post(`${base}/shoot`, { role: shutter.dataset.role, id: newId() });
  shutter.disabled = false;
  if (!told(answer)) return;
  document.querySelector(".teach-stage")?.classList.add("flash");
  setTimeout(() => document.querySelector(".teach-stage")?.classList.remove("flash"), 150);
  if (shutter.dataset.then === "try") {
    begin("try", "challenge", shutter);
    return;
  }
  for (const shot of answer.shots) $("film")?.prepend(thumb(shot));
  count(answer.counts);
});

$("past-key")?.addEventListener("click", () => {
  const past = /** @type {HTMLElement} */ ($("past"));
  past.hidden = !past.hidden;
  /** @type {HTMLElement} */ (document.querySelector(".teach-stage")).hidden = !past.hidden;
  $("past-key")?.setAttribute("aria-pressed", String(!past.hidden));
  if (shutter) shutter.disabled = !past.hidden;
});

$("past")?.addEventListener("click", async (event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest("[data-seq]");
  if (!(button instanceof HTMLButtonElement)) return;
  button.disabled = true;
  const answer = await post(`${base}/shoot`, { role: shutter?.dataset.role, seq: Number(button.dataset.seq), id: newId() });
  button.disabled = answer.done;
  button.classList.toggle("taken", answer.done);
  if (!told(answer)) return;
  for (const shot of answer.shots) $("film")?.prepend(thumb(shot));
  count(answer.counts);
});

/** @param {{id: string, role: string, flags: string[]}} shot */
function thumb(shot) {
  const button = document.createElement("button");
  button.className = "teach-thumb";
  button.type = "button";
  button.dataset.shot = shot.id;
  button.dataset.role = shot.role;
  button.setAttribute("aria-label", words.drop);
  const image = document.createElement("img");
  image.alt = "";
  image.src = `${base}/shot/${shot.id}.jpg`;
  button.append(image);
  if (shot.role === "defect") button.append(mark("thumb-mark", "octagon", document.querySelector("[data-choose=defect]")?.textContent ?? ""));
  for (const flag of shot.flags) button.append(mark("thumb-flag", "triangle", flags[flag] ?? flag));
  return button;
}

/** @param {string} name @param {string} shape @param {string} text */
function mark(name, shape, text) {
  const made = document.createElement("span");
  made.className = name;
  made.append(makeShape(shape), text);
  return made;
}

/** @param {Record<string, number>} counts */
function count(counts) {
  for (const role of ["good", "defect"]) {
    const box = $(`count-${role}`);
    if (!box || counts[role] === undefined) continue;
    box.dataset.n = String(counts[role]);
    const { few, many } = box.dataset;
    box.textContent = few ? filled(words.count, { n: counts[role], few, many }) : String(counts[role]);
  }
}

// What is touched goes after a while, so that a second touch brings it back.
/** @type {Map<HTMLElement, number>} */
const going = new Map();

$("film")?.addEventListener("click", (event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest(".teach-thumb");
  if (!(button instanceof HTMLElement)) return;
  const timer = going.get(button);
  button.classList.toggle("going", timer === undefined);
  button.dataset.back = words.back;
  button.setAttribute("aria-label", timer === undefined ? words.back : words.drop);
  if (timer !== undefined) {
    clearTimeout(timer);
    going.delete(button);
  } else going.set(button, window.setTimeout(() => remove(button), GONE_MS));
});

/** @param {HTMLElement} button */
async function remove(button) {
  going.delete(button);
  if (!told(await post(`${base}/drop`, { shot: button.dataset.shot, id: newId() }))) {
    button.classList.remove("going");
    return;
  }
  button.remove();
  const role = button.dataset.role ?? "";
  const box = $(`count-${role}`);
  if (box) count({ [role]: Number(box.dataset.n) - 1 });
}

addEventListener("pagehide", () => {
  for (const button of going.keys()) postLast(`${base}/drop`, { shot: button.dataset.shot, id: newId() });
});

// -- scores: a good that is none -----------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const key = /** @type {HTMLElement} */ (event.target).closest("[data-relabel], [data-remove]");
  if (!(key instanceof HTMLButtonElement)) return;
  key.disabled = true;
  const answer = key.dataset.relabel
    ? await post(`${base}/relabel`, { shot: key.dataset.shot, role: key.dataset.relabel, id: newId() })
    : await post(`${base}/drop`, { shot: key.dataset.remove, id: newId() });
  if (told(answer)) go("scores");
  else key.disabled = false;
});

// -- the promise ------------------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const key = /** @type {HTMLElement} */ (event.target).closest("[data-by]");
  const step = key?.closest("[data-share]");
  if (!(key instanceof HTMLElement) || !(step instanceof HTMLElement)) return;
  const shares = /** @type {number[]} */ (JSON.parse(step.dataset.shares ?? "[]"));
  const at = step.dataset.value ? nearest(shares, Number(step.dataset.value)) : shares.length - 4;
  step.dataset.value = String(shares[Math.min(shares.length - 1, Math.max(0, at + (step.dataset.value ? Number(key.dataset.by) : 0)))]);
  const asked = { keep: true };
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-share]"))) {
    if (each.dataset.value) Object.assign(asked, { [`${each.dataset.share}_percent`]: Number(each.dataset.value) });
  }
  show(step);
  const answer = await post(`${base}/limit`, asked);
  if (!told(answer)) return;
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-share]"))) {
    const name = each.dataset.share ?? "";
    put(each.querySelector("[data-found]"), answer.words[name]);
    put(each.querySelector("[data-claim]"), answer.words[`${name}_claim`]);
  }
  for (const [name, one] of Object.entries(answer.regions)) {
    put(document.querySelector(`[data-limit="${CSS.escape(name)}"]`), /** @type {any} */ (one).threshold.toFixed(2));
  }
});

/** @param {number[]} among @param {number} value */
const nearest = (among, value) => among.reduce((best, each, at) => (Math.abs(each - value) < Math.abs(among[best] - value) ? at : best), 0);

/** @param {Element | null} element @param {string} text */
function put(element, text) {
  if (element) element.textContent = text;
}

/** @param {HTMLElement} step */
function show(step) {
  put(step.querySelector("output"), `≤ ${Number(step.dataset.value)} %`);
}

// -- long work --------------------------------------------------------------------------------------------------------

const beginKey = /** @type {HTMLButtonElement | null} */ ($("begin"));
beginKey?.addEventListener("click", () => begin(beginKey.dataset.what ?? "", beginKey.dataset.then ?? "", beginKey));

/** @param {string} what @param {string} then @param {HTMLButtonElement} key */
async function begin(what, then, key) {
  key.disabled = true;
  const answer = await post(`${base}/work`, { what, despite: key.dataset.despite === "yes", id: newId() });
  if (told(answer)) await follow(answer.work, then);
  key.disabled = false;
}

/** @param {string} work @param {string} then step that is gone to when it is done */
async function follow(work, then) {
  root.dataset.work = work;
  const bar = /** @type {HTMLProgressElement | null} */ ($("progress"));
  if (bar) bar.hidden = false;
  const answer = await followed(`${root.dataset.workUrl}?work=${work}`, (now) => {
    if (bar && now.work) bar.value = now.work.share;
    put($("phase"), now.work?.state === "failed" ? "" : now.words);
  });
  if (answer.done) return go(then);
  if (bar && !answer.refused) bar.hidden = true;
  told({ done: false, refused: answer.refused, detail: answer.words || answer.detail });
}

$("abort")?.addEventListener("click", async () => {
  told(await post(root.dataset.workUrl?.replace("work.json", "work") ?? "", { work: root.dataset.work }));
  setTimeout(() => go(root.dataset.step ?? ""), 800);
});

// The second touch does it: a draft is ten minutes of work.
const dropDraft = /** @type {HTMLButtonElement | null} */ ($("drop-draft"));
dropDraft?.addEventListener("click", async () => {
  if (dropDraft.dataset.sure !== "yes") {
    dropDraft.dataset.sure = "yes";
    const text = dropDraft.textContent ?? "";
    dropDraft.textContent = words.sure;
    setTimeout(() => {
      dropDraft.dataset.sure = "";
      dropDraft.textContent = text;
    }, 5000);
    return;
  }
  if (told(await post(`${base}/drop`, { id: newId() }))) location.assign(dropDraft.dataset.then ?? "/teach/");
});

if (root.dataset.work) follow(root.dataset.work, root.dataset.step === "teach" ? "scores" : (root.dataset.step ?? ""));
live();
