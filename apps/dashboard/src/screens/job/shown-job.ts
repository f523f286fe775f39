import type { JobView, StepView } from '#shared/contracts/job';

/**
 * What is shown of a job that is known in two ways.
 * @param read by REST: of one moment, with all figures
 * @param live by the socket: may be ahead of it, but its events do not say everything
 */
export function shownJob(read: JobView | undefined, live: JobView | null): JobView | undefined {
  if (!live || !read) return live ?? read;
  if (live.version < read.version) return read;
  const readSteps = new Map(read.steps.map((step) => [step.name, step]));
  const steps = live.steps.map((step) => newest(step, readSteps.get(step.name)));
  const progress = live.version > read.version ? live.progress : Math.max(live.progress, read.progress);
  return { ...(live.version > read.version ? live : read), progress, steps };

  /** A step that has not moved on keeps the figures that only the read has. */
  function newest(told: StepView, known: StepView | undefined): StepView {
    if (!known) return told;
    const isSame = known.status === told.status && known.attempt === told.attempt;
    if (!isSame) return live && read && live.version > read.version ? told : known;
    return told.status === 'running' && told.progress >= known.progress
      ? { ...known, progress: told.progress, message: told.message ?? known.message }
      : known;
  }
}
