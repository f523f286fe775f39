import { storableJsonText } from '#shared/domain/json';
import { isUnsettled } from '#shared/domain/turn/job-hold';
import type { JobDraft } from '#shared/domain/turn/job-draft';

const json = (value: unknown): string | null =>
  value === undefined || value === null ? null : storableJsonText(value);

/** The parameters of `WRITE_DRAFTS`: columns of the jobs, of their changed step rows and of their ended attempts. */
export function draftColumns(drafts: readonly JobDraft[]): unknown[] {
  const jobs = drafts.map((draft) => draft.job);
  const rows = drafts.flatMap((draft) =>
    [...draft.changedRows].flatMap((idx) => {
      const row = draft.rows.get(idx);
      return row ? [{ jobId: draft.job.id, row }] : [];
    }),
  );
  const attempts = drafts.flatMap((draft) => draft.attempts.map((attempt) => ({ jobId: draft.job.id, attempt })));
  return [
    jobs.map((job) => job.id),
    jobs.map((job) => job.run),
    jobs.map((job) => job.status),
    jobs.map((job) => job.done.toString()),
    jobs.map((job) => job.dead.toString()),
    jobs.map((job) => job.open.toString()),
    jobs.map((job) => job.slow.toString()),
    jobs.map((job) => job.dispatchedAt),
    jobs.map((job) => job.startedAt),
    jobs.map((job) => job.completedAt),
    rows.map(({ jobId }) => jobId),
    rows.map(({ row }) => row.idx),
    rows.map(({ row }) => row.status),
    rows.map(({ row }) => row.epoch),
    rows.map(({ row }) => row.attempts),
    rows.map(({ row }) => row.worker),
    rows.map(({ row }) => row.turn),
    rows.map(({ row }) => row.retryCount),
    rows.map(({ row }) => row.crashes),
    rows.map(({ row }) => row.nextRetryAt),
    rows.map(({ row }) => row.awaitsScheduler),
    rows.map(({ row }) => row.held),
    rows.map(({ row }) => row.startedAt),
    rows.map(({ row }) => row.completedAt),
    rows.map(({ row }) => row.durationMs),
    rows.map(({ row }) => row.cpuPercent),
    rows.map(({ row }) => row.memoryMb),
    rows.map(({ row }) => json(row.lastError)),
    rows.map(({ row }) => json(row.output)),
    rows.map(({ row }) => row.waitsFor),
    attempts.map(({ jobId }) => jobId),
    attempts.map(({ attempt }) => attempt.idx),
    attempts.map(({ attempt }) => attempt.epoch),
    attempts.map(({ attempt }) => attempt.number),
    attempts.map(({ attempt }) => attempt.worker),
    attempts.map(({ attempt }) => attempt.outcome),
    attempts.map(({ attempt }) => attempt.startedAt),
    attempts.map(({ attempt }) => attempt.finishedAt),
    attempts.map(({ attempt }) => attempt.durationMs),
    attempts.map(({ attempt }) => attempt.cpuPercent),
    attempts.map(({ attempt }) => attempt.memoryMb),
    attempts.map(({ attempt }) => json(attempt.error)),
    attempts.map(({ attempt }) => attempt.nextDelayMs),
    drafts.map(({ hold }) => hold.dependencies.filter(isUnsettled).length),
    drafts.map(({ hold, rescheduled }) => (rescheduled ? hold.eta : null)),
    drafts.map(({ rescheduled }) => rescheduled?.countdown ?? null),
    drafts.map(({ error }) => json(error)),
  ];
}
