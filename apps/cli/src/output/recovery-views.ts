import type { DeadLetterGroup, DeadLetterView, RedriveResult } from '#shared/contracts/dead-letter';
import type { LogLine } from '../rest-answers';
import type { Colours } from './colours';
import type { View } from './printer';
import { localTime } from '#shared/domain/words';
import { oneLine } from './words';

export const LOG_LINES: View<LogLine> = {
  id: ({ step, attempt }) => `${oneLine(step)}#${attempt}`,
  columns: [
    { title: 'TIME', cell: ({ at }) => localTime(at) },
    { title: 'LEVEL', cell: ({ level }, colours) => levelWord(level, colours) },
    { title: 'STEP', cell: ({ step }) => oneLine(step) },
    { title: 'ATTEMPT', align: 'right', cell: ({ attempt }) => String(attempt) },
    { title: 'MESSAGE', flexible: true, cell: ({ message }) => oneLine(message) },
  ],
};

function levelWord(level: LogLine['level'], colours: Colours): string {
  switch (level) {
    case 'error':
      return colours.red(level);
    case 'warn':
      return colours.yellow(level);
    case 'debug':
      return colours.dim(level);
    case 'info':
      return level;
  }
}

const errorWords = ({ error }: Pick<DeadLetterView, 'error'>): string => oneLine(`${error.kind}: ${error.message}`);

export const DEAD_LETTERS: View<DeadLetterView> = {
  id: ({ id }) => oneLine(id),
  columns: [
    { title: 'DEAD LETTER', cell: ({ id }) => oneLine(id) },
    { title: 'JOB', cell: ({ job_id }) => oneLine(job_id) },
    { title: 'PIPELINE', cell: ({ pipeline }) => oneLine(pipeline) },
    { title: 'STEP', cell: ({ step }) => oneLine(step) },
    { title: 'ATTEMPTS', align: 'right', cell: ({ attempts }) => String(attempts) },
    { title: 'FAILED', cell: ({ created_at }) => localTime(created_at) },
    { title: 'FINGERPRINT', cell: ({ fingerprint }) => oneLine(fingerprint) },
    { title: 'ERROR', flexible: true, cell: errorWords },
  ],
};

export const DEAD_LETTER_GROUPS: View<DeadLetterGroup> = {
  id: ({ fingerprint }) => oneLine(fingerprint),
  columns: [
    { title: 'FINGERPRINT', cell: ({ fingerprint }) => oneLine(fingerprint) },
    { title: 'COUNT', align: 'right', cell: ({ count }) => String(count) },
    { title: 'PIPELINE', cell: ({ pipeline }) => oneLine(pipeline) },
    { title: 'STEP', cell: ({ step }) => oneLine(step) },
    { title: 'FIRST', cell: ({ first_at }) => localTime(first_at) },
    { title: 'LAST', cell: ({ last_at }) => localTime(last_at) },
    { title: 'NEWEST ERROR', flexible: true, cell: errorWords },
  ],
};

/** What became of dead letters that were to be redriven; `jobs` where each was named. */
export interface RedriveSummary extends RedriveResult {
  readonly jobs?: readonly string[];
}

export const REDRIVE: View<RedriveSummary> = {
  id: ({ jobs = [] }) => jobs.map(oneLine).join('\n'),
  columns: [
    { title: 'MATCHED', align: 'right', cell: ({ matched }) => String(matched) },
    { title: 'DONE', align: 'right', cell: ({ done }) => String(done) },
    { title: 'SKIPPED', align: 'right', cell: ({ skipped }) => String(skipped) },
  ],
};
