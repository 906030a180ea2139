/** A picture of the box to draw with; null: there is none, or it cannot be had. @param {string | null | undefined} url */
export async function bitmapOf(url) {
  if (!url) return null;
  try {
    const answer = await fetch(url);
    return answer.ok ? await createImageBitmap(await answer.blob()) : null;
  } catch {
    return null;
  }
}
