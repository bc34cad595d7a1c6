// Which models the server behind the gateway has.

import { urlOf } from './feeds.js';

const MOST = 500;

/**
 * Return the names of the server's models.
 *
 * @param {import('./gate.js').Gate} gate
 * @returns {Promise<string[]>} none where the server has no list
 */
export async function modelNames(gate) {
  try {
    const headers = { ...gate.keyHeaders, 'X-Streamkit-Watch': 'models' };
    const response = await fetch(urlOf('v1/models'), { headers });
    if (!response.ok) return [];
    const { data } = await response.json();
    return data.slice(0, MOST).map((/** @type {{id: unknown}} */ { id }) => String(id));
  } catch {
    return [];
  }
}
