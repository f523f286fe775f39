import { z } from 'zod';
import {
  deadLetterGroups,
  deadLetterPage,
  type DeadLetterGroups,
  type DeadLetterPage,
  type redriveRequest,
  redriveResult,
  type RedriveResult,
} from '#shared/contracts/dead-letter';
import { pipelineList, workerList, type PipelineList, type WorkerList } from '#shared/contracts/fleet';
import type { rescheduleRequest, submitRequest } from '#shared/contracts/ingest-request';
import { jobPage, jobView, problem, type JobPage, type JobView } from '#shared/contracts/job';
import { resourceStatus, type ResourceStatus } from '#shared/contracts/resource-status';
import {
  schedulePage,
  type SchedulePage,
  type schedulePatch,
  type scheduleRequest,
  scheduleView,
  type ScheduleView,
} from '#shared/contracts/schedule';
import { attemptList, logLines, searchPage, type AttemptList, type LogLines, type SearchPage } from './rest-answers';
import { GatewayProblem, GatewayUnreachable, UnexpectedAnswer } from './rest-errors';

const ANSWER_LIMIT_MS = 30_000;

/** Query parameters; a list is sent as the same parameter again and again, `undefined` is left out. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** The body of POST /v1/ingest, as it is written. */
export type IngestRequest = z.input<typeof submitRequest>;

export interface Gateway {
  readonly url: URL;
  readonly apiKey: string | null;
}

/**
 * The gateway's REST API. Answers are checked against the contract's shapes and handed on as they came, with fields
 * that this version does not know.
 *
 * Every call throws GatewayProblem (it refused), GatewayUnreachable, UnexpectedAnswer, or the signal's reason.
 */
export class RestClient {
  constructor(
    readonly gateway: Gateway,
    private readonly signal: AbortSignal,
  ) {}

  /** The same, for calls that another signal ends. */
  within(signal: AbortSignal): RestClient {
    return new RestClient(this.gateway, signal);
  }

  submit(job: IngestRequest): Promise<JobView> {
    return this.post(jobView, 'v1/ingest', job);
  }

  cancel(id: string): Promise<JobView> {
    return this.post(jobView, `v1/ingest/${encodeURIComponent(id)}/cancel`, {});
  }

  /** @param fromStep where to begin again; left out: at what is not completed */
  retry(id: string, fromStep?: string): Promise<JobView> {
    return this.post(jobView, `v1/ingest/${encodeURIComponent(id)}/retry`, { from_step: fromStep });
  }

  /** @param start `{countdown: 0}` runs it now */
  reschedule(id: string, start: z.input<typeof rescheduleRequest>): Promise<JobView> {
    return this.post(jobView, `v1/ingest/${encodeURIComponent(id)}/reschedule`, start);
  }

  async deleteJob(id: string): Promise<void> {
    await this.call(z.undefined(), this.address(`v1/ingest/${encodeURIComponent(id)}`), { method: 'DELETE' });
  }

  job(id: string): Promise<JobView> {
    return this.get(jobView, `v1/ingest/${encodeURIComponent(id)}`);
  }

  jobs(query: Query): Promise<JobPage> {
    return this.get(jobPage, 'v1/ingest', query);
  }

  attempts(id: string): Promise<AttemptList> {
    return this.get(attemptList, `v1/ingest/${encodeURIComponent(id)}/attempts`);
  }

  logs(id: string, query: Query): Promise<LogLines> {
    return this.get(logLines, `v1/ingest/${encodeURIComponent(id)}/logs`, query);
  }

  deadLetters(query: Query): Promise<DeadLetterPage> {
    return this.get(deadLetterPage, 'v1/dead_letters', query);
  }

  deadLetterGroups(query: Query): Promise<DeadLetterGroups> {
    return this.get(deadLetterGroups, 'v1/dead_letters', { ...query, group_by: 'fingerprint' });
  }

  /** The job that goes on. */
  redrive(id: string): Promise<JobView> {
    return this.post(jobView, `v1/dead_letters/${encodeURIComponent(id)}/redrive`, {});
  }

  redriveMany(request: z.input<typeof redriveRequest>): Promise<RedriveResult> {
    return this.post(redriveResult, 'v1/dead_letters/redrive', request);
  }

  schedules(query: Query): Promise<SchedulePage> {
    return this.get(schedulePage, 'v1/schedules', query);
  }

  schedule(id: string): Promise<ScheduleView> {
    return this.get(scheduleView, `v1/schedules/${encodeURIComponent(id)}`);
  }

  createSchedule(schedule: z.input<typeof scheduleRequest>): Promise<ScheduleView> {
    return this.post(scheduleView, 'v1/schedules', schedule);
  }

  updateSchedule(id: string, patch: z.input<typeof schedulePatch>): Promise<ScheduleView> {
    return this.send('PATCH', scheduleView, `v1/schedules/${encodeURIComponent(id)}`, patch);
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.call(z.undefined(), this.address(`v1/schedules/${encodeURIComponent(id)}`), { method: 'DELETE' });
  }

  /** The job that it makes now. */
  runSchedule(id: string): Promise<JobView> {
    return this.post(jobView, `v1/schedules/${encodeURIComponent(id)}/run`, {});
  }

  search(query: Query): Promise<SearchPage> {
    return this.get(searchPage, 'v1/search', query);
  }

  /** How the fleet stands, and what attempts have used. */
  resourceStatus(): Promise<ResourceStatus> {
    return this.get(resourceStatus, 'v1/ingest/resource_status');
  }

  workers(): Promise<WorkerList> {
    return this.get(workerList, 'v1/workers');
  }

  pipelines(): Promise<PipelineList> {
    return this.get(pipelineList, 'v1/pipelines');
  }

  /** Where the live events of a job are, and what to send along. */
  jobSocket(id: string): { readonly url: URL; readonly headers: Readonly<Record<string, string>> } {
    const url = this.address(`v1/ingest/ws/status/${encodeURIComponent(id)}`);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return { url, headers: this.authorisation() };
  }

  private get<Shape extends z.ZodType>(shape: Shape, path: string, query: Query = {}): Promise<z.output<Shape>> {
    const url = this.address(path);
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined) url.searchParams.append(name, String(one));
      }
    }
    return this.call(shape, url, {});
  }

  private post<Shape extends z.ZodType>(shape: Shape, path: string, body: object): Promise<z.output<Shape>> {
    return this.send('POST', shape, path, body);
  }

  private send<Shape extends z.ZodType>(
    method: 'POST' | 'PATCH',
    shape: Shape,
    path: string,
    body: object,
  ): Promise<z.output<Shape>> {
    return this.call(shape, this.address(path), {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  private async call<Shape extends z.ZodType>(shape: Shape, url: URL, init: RequestInit): Promise<z.output<Shape>> {
    const { status, text } = await this.exchange(url, init);
    const body = parseJson(text);
    if (status < 200 || status > 299) {
      const said = problem.safeParse(body);
      throw new GatewayProblem(
        said.success ? said.data : { type: 'about:blank', title: `The gateway answered ${status}.`, status },
      );
    }
    const parsed = shape.safeParse(body);
    if (!parsed.success) throw new UnexpectedAnswer(url, parsed.error);
    return body as z.output<Shape>;
  }

  private async exchange(url: URL, init: RequestInit): Promise<{ status: number; text: string }> {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    try {
      const response = await fetch(url, {
        ...init,
        headers: { accept: 'application/json', ...this.authorisation(), ...init.headers },
        signal: AbortSignal.any([this.signal, limit]),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      this.signal.throwIfAborted();
      throw new GatewayUnreachable(this.gateway.url, limit.aborted ? 'no answer within 30 s' : reasonOf(error));
    }
  }

  private address(path: string): URL {
    return new URL(path, `${this.gateway.url.href.replace(/\/*$/, '')}/`);
  }

  private authorisation(): Record<string, string> {
    return this.gateway.apiKey === null ? {} : { authorization: `Bearer ${this.gateway.apiKey}` };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name could not be looked up',
  EHOSTUNREACH: 'host unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_SOCKET: 'connection closed',
};

const networkError = z.object({
  code: z.string().optional(),
  message: z.string().optional(),
  cause: z.unknown().optional(),
  errors: z.array(z.unknown()).optional(),
});

/** What the network said: `fetch` hides it in the cause, with several addresses in the first of the causes. */
export function reasonOf(error: unknown): string {
  const { code = '', cause, errors, message = '' } = networkError.safeParse(error).data ?? {};
  if (REASONS[code] !== undefined) return REASONS[code];
  const within = errors?.[0] ?? cause;
  return within === undefined ? code || message || 'unknown' : reasonOf(within);
}
