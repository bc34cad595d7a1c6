// What the page asks its gateway: the token first, then everything else with it.

import { readNDJSON } from './stream.js';

const TOKEN = 'X-Streamkit-Token';
const RETRY_MS = [250, 500, 1000, 2000];

/** The gateway answered that it cannot, or does not want to; `status` is its own. */
export class GateError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.name = 'GateError';
    this.status = status;
  }
}

/** The way to the gateway's endpoints below `/_watch/api/`. */
export class Gate {
  /** @param {(why: string) => Promise<string>} askKey asks the user for the gateway's key */
  constructor(askKey) {
    this.key = '';
    this._askKey = askKey;
    this._token = '';
  }

  /**
   * The headers that carry the key, for requests to the gateway itself.
   *
   * @returns {Record<string, string>}
   */
  get keyHeaders() {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {};
  }

  /** Which run of the gateway this is: another one after each start. */
  get run() {
    return this._token;
  }

  /** Get the page's token; asks the user for the key as often as it is needed. */
  async enter() {
    for (;;) {
      const response = await fetch('api/enter', { method: 'POST', headers: this.keyHeaders });
      if (response.ok) {
        this._token = (await response.json()).token;
        return;
      }
      if (response.status !== 401) throw await failure(response);
      this.key = await this._askKey(this.key ? 'That is not its key.' : '');
    }
  }

  /**
   * Ask once.
   *
   * @param {string} path below `/_watch/api/`
   * @param {RequestInit} [options]
   * @returns {Promise<Response>} a success
   * @throws {GateError} otherwise
   */
  async fetch(path, options = {}) {
    const send = () =>
      fetch(`api/${path}`, {
        ...options,
        headers: { .../** @type {Record<string, string>} */ (options.headers), ...this.keyHeaders, [TOKEN]: this._token },
      });
    let response = await send();
    if (response.status === 403 || response.status === 401) {
      await this.enter(); // the gateway was started again
      response = await send();
    }
    if (!response.ok) throw await failure(response);
    return response;
  }

  /**
   * As `fetch`, for one JSON document.
   *
   * @param {string} path
   * @param {RequestInit} [options]
   */
  async json(path, options) {
    return (await this.fetch(path, options)).json();
  }

  /**
   * Follow lines of news.
   *
   * @param {string} path
   * @param {(row: any) => void} onRow
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<void>} at the end of them
   */
  async follow(path, onRow, { signal } = {}) {
    const response = await this.fetch(path, { signal });
    for await (const row of readNDJSON(response, { signal })) onRow(row);
  }

  /**
   * Follow lines of news that have no end, again and again.
   *
   * @param {string} path
   * @param {(row: any) => void} onRow
   * @param {{signal?: AbortSignal, onState?: (isThere: boolean, error?: Error) => void}} [options]
   */
  async keepFollowing(path, onRow, { signal, onState = () => {} } = {}) {
    let tries = 0;
    while (!signal?.aborted) {
      let isFirst = true;
      try {
        await this.follow(
          path,
          (row) => {
            if (isFirst) onState(true);
            isFirst = false;
            tries = 0;
            onRow(row);
          },
          { signal },
        );
        onState(false);
      } catch (error) {
        if (signal?.aborted) return;
        onState(false, /** @type {Error} */ (error));
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]));
    }
  }
}

/** @param {Response} response */
async function failure(response) {
  let message = `${response.status} ${response.statusText}`;
  try {
    const body = await response.json();
    message = body.error?.message ?? body.error ?? message;
  } catch {
    // it has no JSON; the status says enough
  }
  return new GateError(response.status, message);
}
