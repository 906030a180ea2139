// A name without a keyboard: words and digits to touch, or a product code that is scanned.
import "./frame.js";

const name = /** @type {HTMLInputElement} */ (document.getElementById("name"));

/** What a name may hold; a code's other signs become dashes. @param {string} text */
const plain = (text) => text.toLowerCase().replace(/[^a-z0-9_-]+/g, "-").replace(/^[-_]+/, "").slice(0, name.maxLength);

document.addEventListener("click", (event) => {
  const key = /** @type {HTMLElement} */ (event.target).closest("[data-word], [data-sign]");
  if (!(key instanceof HTMLElement)) return;
  const { word, sign } = key.dataset;
  if (sign === "back") name.value = name.value.slice(0, -1);
  else if (sign) name.value = plain(name.value + sign);
  else if (word) name.value = plain(name.value && !name.value.endsWith("-") ? `${name.value}-${word}` : name.value + word);
});
name.addEventListener("change", () => {
  name.value = plain(name.value);
});
document.addEventListener("okng:scan", (event) => {
  event.preventDefault();
  name.value = plain(/** @type {CustomEvent} */ (event).detail);
});
