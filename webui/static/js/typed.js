// Number pad, stepper, and a scanner that types: what it sends goes into the field wherever the focus is.
const field = () => /** @type {HTMLInputElement | null} */ (document.querySelector("input[data-scan]"));

document.addEventListener("click", (event) => {
  const key = /** @type {HTMLElement} */ (event.target).closest("[data-key]");
  const into = field();
  if (key && into) {
    const sign = /** @type {HTMLElement} */ (key).dataset.key ?? "";
    into.value = sign === "back" ? into.value.slice(0, -1) : (into.value + sign).slice(0, into.maxLength);
    return;
  }
  const by = /** @type {HTMLElement} */ (event.target).closest("[data-by]");
  const stepper = /** @type {HTMLElement | null} */ (by?.closest("[data-stepper]") ?? null);
  if (by && stepper) step(stepper, Number(/** @type {HTMLElement} */ (by).dataset.by));
});

document.addEventListener("keydown", (event) => {
  const into = field();
  const elsewhere = document.activeElement?.matches("input, textarea, select, button, a");
  if (!into || elsewhere || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key.length === 1) {
    into.focus();
    into.value += event.key;
    event.preventDefault();
  } else if (event.key === "Enter" && into.value) into.form?.requestSubmit();
});

/** @param {HTMLElement} stepper @param {number} by */
function step(stepper, by) {
  const value = /** @type {HTMLInputElement} */ (stepper.querySelector("input"));
  const [least, most] = [Number(stepper.dataset.least), Number(stepper.dataset.most)];
  const next = Math.min(most, Math.max(least, Number(value.value) + by));
  value.value = String(next);
  const shown = stepper.querySelector("output");
  if (shown) shown.textContent = (value.dataset.words ?? "{n}").replace("{n}", String(next));
}

const first = field();
if (first && document.activeElement === document.body) first.focus();
