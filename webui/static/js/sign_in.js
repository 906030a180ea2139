// The PIN pad: keys fill the field that was touched last. No keyboard opens.
import "./frame.js";

const fields = /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("input[data-pad]")]);
let field = fields.find((one) => "here" in one.dataset) ?? fields[0];

/** @param {HTMLInputElement} one */
function choose(one) {
  field = one;
  for (const other of fields) other.classList.toggle("here", other === one);
}

for (const one of fields) one.addEventListener("focus", () => choose(one));
if (field) choose(field);

for (const key of document.querySelectorAll("[data-digit]")) {
  key.addEventListener("click", () => {
    const digit = /** @type {HTMLElement} */ (key).dataset.digit ?? "";
    if (field && field.value.length < field.maxLength) field.value += digit;
  });
}

document.querySelector("[data-erase]")?.addEventListener("click", () => {
  if (field) field.value = field.value.slice(0, -1);
});

for (const form of document.querySelectorAll("form.with-pad")) {
  form.addEventListener("submit", (event) => {
    // The check mark goes on to the next empty field; with the last one filled it sends.
    const empty = fields.find((one) => !one.value);
    if (!empty) return;
    event.preventDefault();
    choose(empty);
  });
}

// Digits of a real keyboard do too, wherever the focus is.
document.addEventListener("keydown", (event) => {
  if (!field || document.activeElement instanceof HTMLInputElement || event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^[0-9]$/.test(event.key) && field.value.length < field.maxLength) field.value += event.key;
  else if (event.key === "Backspace") field.value = field.value.slice(0, -1);
  else if (event.key === "Enter" && field.value) field.form?.requestSubmit();
});

// Only now: a digit touched before would be lost without a word.
for (const key of document.querySelectorAll(".pad-key")) /** @type {HTMLButtonElement} */ (key).disabled = false;
