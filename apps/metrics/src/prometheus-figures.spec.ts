import { register } from 'prom-client';
import { type FigureSource, offerFigures } from './prometheus-figures';

const never = (): Promise<never> => new Promise(() => undefined);

it('are left out when they cannot be read in time: what is known of the process comes all the same', async () => {
  jest.useFakeTimers();
  try {
    const frozen: FigureSource = {
      usage: { read: never, readJobCounts: never, countDeadLetters: never },
      fleet: { look: never },
      workers: { list: never },
      telemetryAgeSeconds: () => 7,
    };
    offerFigures(frozen);
    const scraped = register.metrics();
    await jest.advanceTimersByTimeAsync(5_000);
    const text = await scraped;
    expect(text).toContain('sluice_telemetry_age_seconds 7');
    expect(text).not.toMatch(/^sluice_jobs/m);
  } finally {
    jest.useRealTimers();
    register.clear();
  }
});
