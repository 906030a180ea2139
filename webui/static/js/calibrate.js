// The frame of the bank card grows and shrinks with the keys.
import "./frame.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("calibrate"));
const field = /** @type {HTMLInputElement} */ (document.getElementById("mm"));
const card = /** @type {SVGElement} */ (/** @type {unknown} */ (document.getElementById("bank-card")));
const low = Number(form.dataset.low);
const high = Number(form.dataset.high);
let mm = Number(form.dataset.mm);

function draw() {
  card.setAttribute("width", String(Number(card.dataset.width) * mm));
  card.setAttribute("height", String(Number(card.dataset.height) * mm));
}

for (const key of form.querySelectorAll("[data-step]")) {
  key.addEventListener("click", () => {
    mm = Math.min(high, Math.max(low, mm + Number(/** @type {HTMLElement} */ (key).dataset.step)));
    field.value = mm.toFixed(2);
    draw();
  });
}

field.addEventListener("input", () => {
  const typed = Number(field.value);
  if (typed >= low && typed <= high) {
    mm = typed;
    draw();
  }
});
