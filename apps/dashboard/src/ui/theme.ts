import { createStore, useStore } from '../api/store';

export type Theme = 'system' | 'light' | 'dark';

const NAME = 'sluice-theme';
const stored = read();
const theme = createStore<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');
show(theme.get());

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

/** The theme, and what changes to the next one. */
export function useTheme(): readonly [Theme, () => void] {
  const current = useStore(theme);
  return [
    current,
    () => {
      const next = NEXT[current];
      keep(next);
      theme.set(next);
      show(next);
    },
  ];
}

function show(wanted: Theme): void {
  if (wanted === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = wanted;
}

/** A browser may keep nothing, and say so by an error. */
function read(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

function keep(wanted: Theme): void {
  try {
    localStorage.setItem(NAME, wanted);
  } catch {
    // It holds until the page is loaded again.
  }
}
