// The lamp of the challenge test: what became of the reject of the part that has just gone through.
import { events } from "./frame.js";
import { setShape, word } from "./words.js";

/** @type {{lamp: string, shape: string, text: string} | null} */
let last = null;

function show() {
  const lamp = document.getElementById("lamp");
  if (!lamp || !last) return;
  lamp.dataset.lamp = last.lamp;
  const [svg, text] = [lamp.querySelector("svg"), lamp.querySelector("span")];
  if (svg) setShape(svg, last.shape);
  if (text) text.textContent = last.text;
}

events.on("result", (result) => {
  if (result.why !== "challenge") return;
  const part = { part: result.part };
  if (result.confirmed === true) last = { lamp: "yes", shape: "check", text: word("lamp.removed", part) };
  else if (result.confirmed === false) last = { lamp: "no", shape: "octagon", text: word("lamp.stayed", part) };
  else if (result.delivery === "delivered") last = { lamp: "plc", shape: "check", text: word("lamp.ordered", part) };
  else if (result.delivery === "unconfirmed") last = { lamp: "no", shape: "octagon", text: word("lamp.silent", part) };
  else last = { lamp: "", shape: "dash", text: word("lamp.waits", part) };
  show();
});
document.querySelector("[data-part]")?.addEventListener("renewed", show);
