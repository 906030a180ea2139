// Asks the server to have something done. No answer in time is "no answer": it may or may not have been done.
import { word } from "./words.js";

const PATIENCE_MS = 5000;

/** What says that the page asks, not another one. */
export const csrfHeaders = () => ({ "X-CSRFToken": document.body.dataset.csrf ?? "" });

/** A fresh id, so that a repeat of the same wish is done once. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} url @param {object} body @returns {Promise<any>} done, silent, detail, refused (the HTTP status) */
export async function post(url, body) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...csrfHeaders() },
      body: JSON.stringify(body),
      signal: stop.signal,
    });
    if (!answer.ok) return { done: false, silent: false, detail: "", refused: answer.status };
    return { refused: 0, ...(await answer.json()) };
  } catch {
    return { done: false, silent: true, detail: "", refused: 0 };
  } finally {
    clearTimeout(timer);
  }
}

/** The same as the page goes: nobody is there to hear the answer. @param {string} url @param {object} body */
export function postLast(url, body) {
  void fetch(url, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json", ...csrfHeaders() }, body: JSON.stringify(body) });
}

/** Why it was not done, in words. @param {any} answer */
export function whyNot(answer) {
  if (answer.silent) return word("post.silent");
  if (answer.refused === 401) return word("post.signed_out");
  if (answer.refused === 403) return word("post.no_right");
  return answer.detail || word("post.failed");
}
