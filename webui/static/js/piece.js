// Pieces of a page, fetched anew. They say that they are one: who is signed out gets a refusal, not the page to sign in at.

/** @param {string} url @returns {Promise<string>} */
export async function textOf(url) {
  const answer = await fetch(url, { cache: "no-store", headers: { "X-Piece": "yes" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

/** @param {string} url @returns {Promise<ChildNode[]>} */
export async function pieceOf(url) {
  return [...new DOMParser().parseFromString(await textOf(url), "text/html").body.childNodes];
}
