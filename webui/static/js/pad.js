// A number pad for fingers: comes up when a number field is touched, and leaves the field to a keyboard otherwise.
const KEYS = ["7", "8", "9", "⌫", "4", "5", "6", "C", "1", "2", "3", "OK", "±", "0", "."];

/** @type {HTMLDialogElement | null} */
let dialog = null;
/** @type {HTMLInputElement | null} */
let field = null;
let text = "";
let fresh = true;

function build() {
  const made = document.createElement("dialog");
  made.className = "pad fine";
  const shown = document.createElement("output");
  const keys = document.createElement("div");
  keys.className = "pad-keys";
  for (const name of KEYS) {
    const key = document.createElement("button");
    key.type = "button";
    key.className = name === "OK" ? "key go" : "key";
    key.textContent = name;
    key.addEventListener("click", () => press(name));
    keys.append(key);
  }
  made.append(shown, keys);
  made.addEventListener("click", (event) => event.target === made && made.close());
  document.body.append(made);
  return made;
}

function press(/** @type {string} */ name) {
  if (name === "OK") {
    if (field && text !== "" && Number.isFinite(Number(text))) {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    dialog?.close();
    return;
  }
  if (name === "⌫") text = text.slice(0, -1);
  else if (name === "C") text = "";
  else if (name === "±") text = text.startsWith("-") ? text.slice(1) : `-${text}`;
  else if (name === "." && text.includes(".")) return;
  else if (text.length < 12) text = fresh ? name : text + name;
  fresh = false;
  show();
}

function show() {
  const output = dialog?.querySelector("output");
  if (output) output.textContent = text || "–";
}

document.addEventListener("click", (event) => {
  const touched = /** @type {any} */ (event).pointerType === "touch";
  const target = event.target;
  if (!touched || !(target instanceof HTMLInputElement) || target.type !== "number" || target.disabled) return;
  target.blur();
  [field, text, fresh] = [target, target.value, true];
  dialog ??= build();
  dialog.setAttribute("aria-label", target.labels?.[0]?.textContent ?? "");
  show();
  dialog.showModal();
});
