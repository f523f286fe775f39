import { MultiBar, type SingleBar } from 'cli-progress';
import pico from 'picocolors';
import WebSocket, { type RawData } from 'ws';
import { z } from 'zod';
import { jobView, type JobView } from '#shared/contracts/job';
import { liveEvent, type LiveEvent } from '#shared/contracts/live-event';
import { isEnded } from '#shared/domain/status';
import type { DemoClient } from './demo-client';

const SILENCE_LIMIT_MS = 75_000;
const CLOSED_WELL = 1000;

const socketMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), job: jobView }),
  liveEvent.extend({ type: z.literal('event') }),
  z.object({ type: z.literal('heartbeat') }),
]);
type SocketMessage = z.infer<typeof socketMessage>;

/** Shows how far each step is. */
interface StepsView {
  show(step: string, progress: number, words: string): void;
  end(): void;
}

/**
 * Follows a job over its WebSocket to the end, a bar for each step on a terminal, a line for each event elsewhere.
 * @returns the ended job
 */
export async function followJob(client: DemoClient, jobId: string): Promise<JobView> {
  const view = process.stdout.isTTY ? new Bars() : new Lines();
  try {
    for (;;) {
      const closedWell = await readSocket(client.socketUrl(`/v1/ingest/ws/status/${jobId}`), (message) => {
        if (message.type === 'snapshot') showSnapshot(view, message.job);
        if (message.type === 'event') showEvent(view, message);
      });
      const job = await client.get(`/v1/ingest/${jobId}`, jobView);
      if (isEnded(job.status)) {
        showSnapshot(view, job);
        return job;
      }
      if (closedWell) throw new Error(`the gateway closed the live view of a job that is ${job.status}`);
    }
  } finally {
    view.end();
  }
}

/** Hands on what comes until the socket closes; true when the server closed it because the job has ended. */
function readSocket(url: string, onMessage: (message: SocketMessage) => void): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { handshakeTimeout: 10_000, perMessageDeflate: false });
    const silence = setTimeout(() => socket.terminate(), SILENCE_LIMIT_MS);
    socket.on('message', (data: RawData) => {
      silence.refresh();
      const { data: message } = socketMessage.safeParse(JSON.parse((data as Buffer).toString()));
      if (message) onMessage(message);
    });
    socket.once('error', reject);
    socket.once('close', (code) => {
      clearTimeout(silence);
      resolve(code === CLOSED_WELL);
    });
  });
}

function showSnapshot(view: StepsView, job: JobView): void {
  for (const { name, progress, status } of job.steps) view.show(name, progress, status);
}

function showEvent(view: StepsView, { event, step, progress, message }: LiveEvent): void {
  if (step === undefined) return;
  const isDone = event === 'step.completed';
  view.show(step, isDone ? 100 : (progress ?? 0), isDone ? 'completed' : (message ?? event.replace('step.', '')));
}

class Bars implements StepsView {
  private readonly bars = new MultiBar({
    format: `    {step} ${pico.cyan('{bar}')} {percentage}%  {words}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    gracefulExit: false,
    stream: process.stdout,
  });
  private readonly barOf = new Map<string, SingleBar>();

  show(step: string, progress: number, words: string): void {
    const payload = { step: step.padEnd(14), words: words.slice(0, 40) };
    const bar = this.barOf.get(step);
    if (bar) bar.update(Math.floor(progress), payload);
    else this.barOf.set(step, this.bars.create(100, Math.floor(progress), payload));
    this.bars.update();
  }

  end(): void {
    this.bars.stop();
  }
}

class Lines implements StepsView {
  private readonly last = new Map<string, string>();

  show(step: string, progress: number, words: string): void {
    const line = `    ${step.padEnd(14)} ${String(Math.floor(progress)).padStart(3)}%  ${words}`;
    if (this.last.get(step) === line) return;
    this.last.set(step, line);
    process.stdout.write(`${line}\n`);
  }

  end(): void {
    this.last.clear();
  }
}
