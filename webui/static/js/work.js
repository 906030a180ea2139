// Long work of the workshop, followed to its end. A look that fails is made again: the work goes on without us.
const EVERY_MS = 400;

/** @param {string} url @param {(answer: any) => void} heard each time there is something to say
 * @returns {Promise<any>} the last answer; done: false: it failed, or may not be looked at (refused) */
export async function followed(url, heard) {
  for (;;) {
    const got = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" } }).catch(() => null);
    if (got?.status === 401 || got?.status === 403) return { done: false, refused: got.status };
    const answer = got?.ok ? await got.json().catch(() => null) : null;
    if (answer) {
      heard(answer);
      if (!answer.done || answer.work?.state === "failed") return { ...answer, done: false };
      if (answer.work?.state === "done") return answer;
    }
    await new Promise((next) => setTimeout(next, EVERY_MS));
  }
}
