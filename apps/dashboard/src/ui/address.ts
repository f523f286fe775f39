import { useLocation, useSearch } from 'wouter';

/** The parameters in the page's address, which hold what the screen shows: they survive a reload and can be sent on. */
export function useParameters(): readonly [
  URLSearchParams,
  (changes: Record<string, string | readonly string[]>) => void,
] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const parameters = new URLSearchParams(search);
  const change = (changes: Record<string, string | readonly string[]>): void => {
    const next = new URLSearchParams(search);
    for (const [name, value] of Object.entries(changes)) {
      next.delete(name);
      for (const each of typeof value === 'string' ? [value] : value) if (each !== '') next.append(name, each);
    }
    const text = next.toString();
    navigate(text === '' ? path : `${path}?${text}`, { replace: true });
  };
  return [parameters, change];
}
