import { createStore } from './store';

const NAME = 'sluice-api-key';

/** The API key that this tab sends; empty: none. Kept until the tab is closed. */
export const apiKey = createStore(read());

/** Whether the gateway has refused a call for want of a valid key. */
export const keyIsWanted = createStore(false);

export function setApiKey(key: string): void {
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // A browser that keeps nothing asks again after a reload.
  }
  apiKey.set(key);
  keyIsWanted.set(false);
}

function read(): string {
  try {
    return sessionStorage.getItem(NAME) ?? '';
  } catch {
    return '';
  }
}
