/** What is read; null when that fails or takes longer: it then goes on for itself. Never rejects. */
export async function within<T>(read: () => Promise<T>, limitMs: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), limitMs);
  });
  const result = (async () => read())().catch(() => null);
  return Promise.race([result, limit]).finally(() => clearTimeout(timer));
}
