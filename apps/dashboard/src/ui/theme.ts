import { createStore, useStore } from '../api/store';

export type Theme = 'system' | 'light' | 'dark';

const NAME = 'sluice-theme';
const stored = localStorage.getItem(NAME);
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
      localStorage.setItem(NAME, next);
      theme.set(next);
      show(next);
    },
  ];
}

function show(wanted: Theme): void {
  if (wanted === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = wanted;
}
