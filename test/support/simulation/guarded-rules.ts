import type * as Claim from '#shared/domain/turn/claim';
import type * as EndAttempt from '#shared/domain/turn/end-attempt';
import type * as Mend from '#shared/domain/turn/mend';
import type * as Tokens from '#shared/domain/turn/tokens';
import { guards } from './guards';

/* The rules of the domain as they are, less the guards that a control takes away. */

export function guardedClaim(real: typeof Claim): typeof Claim {
  return {
    ...real,
    claimStep: (draft, asked) => {
      const request = { ...asked };
      if (guards.isOff('run')) request.run = draft.job.run;
      if (guards.isOff('what is known is left alone')) request.knows = () => false;
      if (guards.isOff('suspects one at a time')) request.mayTakeSuspect = () => true;
      if (guards.isOff('claim when due')) {
        for (const row of draft.rows.values()) if (row.status === 'retrying') row.nextRetryAt = draft.now;
      }
      return real.claimStep(draft, request);
    },
  };
}

export function guardedEnd(real: typeof EndAttempt): typeof EndAttempt {
  return {
    ...real,
    endAttempt: (draft, asked, ...rest) => {
      const key = { ...asked };
      const { slow } = draft.job;
      if (guards.isOff('run')) key.run = draft.job.run;
      if (guards.isOff('step epoch') && !key.fast) key.epoch = draft.rows.get(key.idx)?.epoch ?? key.epoch;
      if (guards.isOff('slow bit') && key.fast) draft.job.slow = 0n;
      const outcome = real.endAttempt(draft, key, ...rest);
      draft.job.slow |= slow;
      return outcome;
    },
  };
}

export function guardedMend(real: typeof Mend): typeof Mend {
  return {
    ...real,
    mendSteps: (draft, steps, seenAt, isLost) =>
      guards.isOff('sweep')
        ? 0n
        : real.mendSteps(draft, steps, seenAt, (row) => {
            if (row?.status === 'running' && guards.isOff('sweep of the dead')) return false;
            if (row !== undefined && row.status !== 'running' && guards.isOff('sweep of rows')) return false;
            return isLost(row);
          }),
    releaseParked: (draft, idx) => !guards.isOff('release of the parked') && real.releaseParked(draft, idx),
    handBack: (...asked) => !guards.isOff('hand back') && real.handBack(...asked),
  };
}

export function guardedTokens(real: typeof Tokens): typeof Tokens {
  return {
    ...real,
    takeTokens: (draft, row, pools) => {
      if (!guards.isOff('token limit') || row.held) return real.takeTokens(draft, row, pools);
      for (const { pool, count } of real.tokensOf(draft.pipeline.name, draft.step(row.idx))) {
        const found = pools.get(pool);
        if (!found) continue;
        found.used += count;
        row.held = true;
      }
      return null;
    },
    returnTokens: (...asked) => {
      if (!guards.isOff('tokens back')) real.returnTokens(...asked);
    },
  };
}
