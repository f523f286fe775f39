import { createStore } from './store';

const NAME = 'sluice-api-key';

/** The API key that this tab sends; empty: none. Kept until the tab is closed. */
export const apiKey = createStore(sessionStorage.getItem(NAME) ?? '');

/** Whether the gateway has refused a call for want of a valid key. */
export const keyIsWanted = createStore(false);

export function setApiKey(key: string): void {
  sessionStorage.setItem(NAME, key);
  apiKey.set(key);
  keyIsWanted.set(false);
}
