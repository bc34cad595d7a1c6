// Saves a stream as the cassette that `mockserver --replay` plays: a download, made of what the gateway has kept.

/**
 * @param {Pick<import('./gate.js').Gate, 'fetch'>} gate
 * @param {number} number
 * @returns {Promise<void>}
 * @throws {Error} the gateway says why there is none
 */
export async function saveCassette(gate, number) {
  const response = await gate.fetch(`streams/${number}/cassette`);
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = `stream-${number}.cassette`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download has begun by then
}
