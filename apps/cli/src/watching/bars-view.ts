import { MultiBar, type SingleBar } from 'cli-progress';
import type { JobView, StepView } from '#shared/contracts/job';
import type { StepStatus } from '#shared/domain/status';
import type { CliIo } from '../cli-io';
import { colouredStatus, coloursFor, type Colours } from '../output/colours';
import { type HeldJob, startWords } from '../output/start-words';
import { countdown, percent, retries } from '#shared/domain/words';
import { oneLine } from '../output/words';
import type { JobEvent } from './job-socket';
import type { JobUpdate } from './job-stream';

type ShownStep = Pick<
  StepView,
  'name' | 'status' | 'progress' | 'retry_count' | 'max_retries' | 'next_retry_at' | 'message' | 'last_error'
>;

const BAR_WIDTH = 24;

/**
 * One bar for each step of a job, on the terminal behind stderr. A line is made whenever the bars are drawn, some times a
 * second, so that what depends on the time goes on while nothing happens. Above them, for a job that is held, a line that
 * says when it starts.
 */
export class BarsView {
  private readonly colours: Colours;
  private readonly bars: MultiBar;
  private readonly barOf = new Map<string, SingleBar>();
  private readonly stepOf = new Map<string, ShownStep>();
  private nameWidth = 0;
  /** Only of a job that was held when it was first seen. */
  private held: HeldJob | null = null;

  constructor(private readonly io: CliIo) {
    this.colours = coloursFor(io.stderr, io.env);
    this.bars = new MultiBar({
      stream: io.stderr,
      format: (_options, _params, { name }: { name?: string }) =>
        name === undefined ? this.headLine() : this.lineOf(name),
      hideCursor: true,
      linewrap: false,
      gracefulExit: false,
      emptyOnZero: true,
    });
  }

  show(update: JobUpdate): void {
    if (update.type === 'snapshot') this.showAll(update.job);
    else this.showEvent(update);
    this.bars.update();
  }

  stop(): void {
    this.bars.stop();
  }

  private showAll(job: JobView): void {
    this.nameWidth = Math.max(...job.steps.map(({ name }) => name.length));
    const isNew = this.barOf.size === 0 && startWords(job, this.io.now()) !== null;
    if (this.held || isNew) this.held = job;
    if (isNew) this.bars.create(100, 0, {});
    for (const step of job.steps) this.showStep(step);
  }

  private showEvent(event: JobEvent): void {
    const { held } = this;
    if (held) this.held = { ...held, status: event.job_status ?? held.status, eta: event.eta ?? held.eta };
    const before = event.step === undefined ? undefined : this.stepOf.get(event.step);
    if (!before) return;
    this.showStep({
      ...before,
      status: event.status ?? statusOf(event) ?? before.status,
      progress: event.event === 'step.completed' ? 100 : (event.progress ?? before.progress),
      retry_count: event.retry_count ?? before.retry_count,
      next_retry_at: event.next_retry_at ?? null,
      message: event.message ?? before.message,
      last_error: event.last_error ?? before.last_error,
    });
  }

  private showStep(step: ShownStep): void {
    this.stepOf.set(step.name, step);
    const payload = { name: step.name };
    const bar = this.barOf.get(step.name);
    if (bar) bar.update(step.progress, payload);
    else this.barOf.set(step.name, this.bars.create(100, step.progress, payload));
  }

  private headLine(): string {
    const { held, colours, io } = this;
    if (!held) return '';
    const room = (io.stderr.columns ?? 80) - held.status.length - 2;
    const words = startWords(held, io.now())?.slice(0, room);
    return `${colouredStatus(held.status, colours)}${words === undefined ? '' : `  ${words}`}`;
  }

  private lineOf(name: string): string {
    const step = this.stepOf.get(name);
    if (!step) return name;
    const filled = Math.round((BAR_WIDTH * step.progress) / 100);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
    const status = colouredStatus(step.status, this.colours) + ' '.repeat(Math.max(0, 9 - step.status.length));
    const plain = `${step.name.padEnd(this.nameWidth)}  ${bar} ${percent(step.progress).padStart(5)}  `;
    const next = step.status === 'retrying' ? countdown(step.next_retry_at, this.io.now()) : '';
    const tail = `  ${retries(step.retry_count, step.max_retries)}  ${next && `${next}  `}`;
    const words = step.status === 'retrying' || step.status === 'failed' ? step.last_error?.message : step.message;
    const room = (this.io.stderr.columns ?? 80) - plain.length - tail.length - 10;
    return `${plain}${status}${tail}${words && room > 8 ? this.colours.dim(oneLine(words).slice(0, room)) : ''}`;
  }
}

function statusOf(event: JobEvent): StepStatus | undefined {
  switch (event.event) {
    case 'step.queued':
      return 'queued';
    case 'step.started':
    case 'step.progress':
      return 'running';
    case 'step.retrying':
      return 'retrying';
    case 'step.completed':
      return 'completed';
    case 'step.failed':
      return 'failed';
    case 'step.skipped':
      return 'skipped';
    case 'step.cancelled':
      return 'cancelled';
    default:
      return undefined;
  }
}
