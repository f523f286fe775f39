import type { DataSource } from 'typeorm';
import type { WorkData } from '#shared/contracts/work-message';
import type { Json } from '#shared/domain/json';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import { stepsIn, type StepSet } from '#shared/domain/step-set';
import { execute, type NamedStatement, withClient } from '#shared/store/database';

const READ_INPUT: NamedStatement = {
  name: 'read_job_input',
  text: 'SELECT source, source_type, branch, commit, input, options FROM jobs WHERE id = $1',
};

const READ_OUTPUTS: NamedStatement = {
  name: 'read_step_outputs',
  text: `SELECT idx, output FROM steps WHERE job_id = $1 AND idx = ANY ($2::smallint[]) AND status = 'completed'`,
};

/** Reads what a step works on, where its message did not carry it. */
export class WorkDataReader {
  constructor(private readonly database: DataSource) {}

  /**
   * @param steps the completed steps whose outputs are wanted
   * @returns null when the job is gone
   */
  read(jobId: string, pipeline: PipelineDefinition, steps: StepSet): Promise<WorkData | null> {
    return withClient(this.database, async (client) => {
      const [input] = await execute<Omit<WorkData, 'outputs'>>(client, READ_INPUT, [jobId]);
      if (!input) return null;
      const rows = await execute<{ idx: number; output: Json }>(client, READ_OUTPUTS, [jobId, stepsIn(steps)]);
      const outputs: Record<string, Json> = {};
      for (const row of rows) outputs[pipeline.steps[row.idx]?.name ?? ''] = row.output;
      return { ...input, outputs };
    });
  }
}
