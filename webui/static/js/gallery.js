// The gallery: older parts come as they are scrolled to.
import "./frame.js";

const cards = /** @type {HTMLElement} */ (document.getElementById("cards"));

const eye = new IntersectionObserver((seen) => {
  if (seen.some((entry) => entry.isIntersecting)) void load();
}, { root: cards, rootMargin: "400px" });

let loading = false;

async function load() {
  const more = document.getElementById("more");
  if (!more || loading) return;
  loading = true;
  try {
    const answer = await fetch(/** @type {string} */ (more.dataset.next));
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    more.replaceWith(...page.body.children);
    watch();
  } catch {
    // The key stays: a touch on it asks again.
  } finally {
    loading = false;
  }
}

function watch() {
  eye.disconnect();
  const more = document.getElementById("more");
  if (more) eye.observe(more);
}

watch();

// A scanner types, wherever the page was touched last: what it reads goes into the field, and its Enter looks for it.
const find = /** @type {HTMLInputElement} */ (document.getElementById("find"));
const BURST_MS = 300;
let typedAt = -Infinity;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.code === "BracketRight") {
    event.preventDefault(); // the group separator of a GS1 code, as a keyboard sends it
    type("<GS>");
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || event.target === find) return;
  if (event.key.length === 1) {
    event.preventDefault();
    type(event.key);
  } else if (event.key === "Enter" && performance.now() - typedAt < BURST_MS) {
    event.preventDefault();
    find.form?.requestSubmit();
  }
});

/** @param {string} letters */
function type(letters) {
  const now = performance.now();
  if (document.activeElement !== find && now - typedAt > BURST_MS) find.value = "";
  typedAt = now;
  find.value += letters;
}
