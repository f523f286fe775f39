import type { NatsBus } from '#shared/bus/nats-bus';
import { WORK_STREAM } from '#shared/contracts/subjects';
import { workMessage, type WorkMessage } from '#shared/contracts/work-message';

/** Every turn of the job that the work stream has. */
export async function storedTurnsOf(bus: NatsBus, jobId: string): Promise<WorkMessage[]> {
  const { streams } = await bus.jetStream(2_000);
  const { state } = await streams.info(WORK_STREAM);
  const turns: WorkMessage[] = [];
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
    const turn = workMessage.parse((await streams.getMessage(WORK_STREAM, { seq })).json());
    if (turn.job_id === jobId) turns.push(turn);
  }
  return turns;
}
