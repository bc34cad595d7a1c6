// Asks the user for the gateway's key. It is kept by who asked, and by nobody else: no cookie, no storage.

/** @type {Promise<string> | null} */
let asked = null;

/**
 * Ask for the key. Who asks while the question stands gets the same answer.
 *
 * @param {string} why it is asked for again; empty for the first time
 * @returns {Promise<string>} what was typed
 * @throws {Error} the dialog was closed without a key
 */
export function askKey(why) {
  asked ??= answered(why).finally(() => {
    asked = null;
  });
  return asked;
}

/**
 * @param {string} why
 * @returns {Promise<string>}
 */
function answered(why) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('key-dialog'));
  const form = /** @type {HTMLFormElement} */ (document.getElementById('key-form'));
  const input = /** @type {HTMLInputElement} */ (document.getElementById('key'));
  const reason = /** @type {HTMLElement} */ (document.getElementById('key-why'));
  reason.dataset.usual ??= reason.textContent ?? '';
  reason.textContent = [why, reason.dataset.usual].filter(Boolean).join(' ');
  input.value = '';
  input.setCustomValidity('');
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const { signal } = over;
    input.addEventListener('input', () => input.setCustomValidity(complaint(input.value.trim())), { signal });
    form.addEventListener(
      'submit',
      (event) => {
        event.preventDefault();
        const key = input.value.trim();
        if (!key) return;
        input.value = '';
        over.abort();
        dialog.close();
        resolve(key);
      },
      { signal },
    );
    dialog.addEventListener(
      'close',
      () => {
        over.abort();
        reject(new Error('no key was given. Load the page again to type it.'));
      },
      { signal },
    );
    dialog.showModal();
    input.focus();
  });
}

/**
 * @param {string} key
 * @returns {string} what is wrong with it for a header; empty for nothing
 */
export function complaint(key) {
  if (!key) return 'Type the key.';
  return /^[\u0021-\u007e]+$/.test(key) ? '' : 'A key has no spaces, and only letters, digits and signs of ASCII.';
}
