// A scanner types, wherever the page was touched last: what it reads goes into the field, and its Enter looks for it.
const BURST_MS = 300;

/** @param {HTMLInputElement} find @param {() => boolean} [listens] */
export function listenToScanner(find, listens = () => true) {
  let typedAt = -Infinity;

  /** @param {string} letters */
  function type(letters) {
    const now = performance.now();
    if (document.activeElement !== find && now - typedAt > BURST_MS) find.value = "";
    typedAt = now;
    find.value += letters;
  }

  // A whole code: here it is a part's, not a person's badge. It stands in the field already, letter by letter.
  document.addEventListener("okng:scan", (event) => {
    if (!listens()) return;
    event.preventDefault();
    find.form?.requestSubmit();
  });
  document.addEventListener("keydown", (event) => {
    if (!listens()) return;
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
}
