import type { RedriveResult } from '#shared/contracts/dead-letter';
import { counted } from '#shared/domain/words';

/** What a redrive would do, as a question; null when there is nothing to do. */
export function redriveQuestion({ matched, skipped }: RedriveResult): string | null {
  if (matched === 0 || matched === skipped) return null;
  const rest = skipped > 0 ? ` ${skipped} more ${isOrAre(skipped)} left out: their jobs still run.` : '';
  return `Redrive ${counted(matched - skipped, 'dead letter')}? Their jobs go on from the steps that failed.${rest}`;
}

/** Why there is nothing to redrive. */
export const nothingToRedrive = ({ matched }: RedriveResult): string =>
  matched === 0
    ? 'There are no such dead letters any more.'
    : `${counted(matched, 'dead letter')}, but the jobs still run: redrive them once the jobs have ended.`;

/** What a redrive has done. */
export function redriveWords({ matched, done, skipped }: RedriveResult): string {
  if (matched === 0) return 'There were no such dead letters any more.';
  const left = matched - done - skipped;
  return [
    done > 0 ? `${counted(done, 'dead letter')} redriven: the jobs go on.` : 'Nothing was redriven.',
    ...(skipped > 0 ? [`${skipped} left out: the jobs still run.`] : []),
    ...(left > 0 ? [`${left} ${isOrAre(left)} left: do it again to take them up.`] : []),
  ].join(' ');
}

const isOrAre = (count: number): string => (count === 1 ? 'is' : 'are');
