import type { DataSource } from 'typeorm';
import { type DeadLetterMessage, MAX_MIRRORED_BYTES } from '#shared/contracts/dead-letter';
import { execute, type NamedStatement, withClient } from '#shared/store/database';
import { LETTER_COLUMNS, type LetterRow } from '#shared/store/jobs/dead-letter-statements';
import { letterViewOf } from '#shared/store/jobs/dead-letters';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';

/** By `dead_letters_unmirrored`. An input that would not be sent is not read either. */
export const UNMIRRORED: NamedStatement = {
  name: 'unmirrored_dead_letters',
  text: `
SELECT ${LETTER_COLUMNS.replace('j.input', `CASE WHEN octet_length(j.input::text) <= ${MAX_MIRRORED_BYTES} THEN j.input END AS input`)}
FROM dead_letters d JOIN jobs j ON j.id = d.job_id
WHERE NOT d.mirrored ORDER BY d.created_at, d.id LIMIT $1`,
};

/** A row that has another id by now holds another failure. */
const MARK: NamedStatement = {
  name: 'mark_dead_letters_mirrored',
  text: 'UPDATE dead_letters SET mirrored = true WHERE id = ANY ($1::uuid[])',
};

/** Dead letters that the stream does not have yet. */
export class DeadLetterOutbox {
  constructor(
    private readonly database: DataSource,
    private readonly pipelines: PipelineStore,
  ) {}

  /** The oldest of them, as they are to be sent. */
  async next(limit: number): Promise<DeadLetterMessage[]> {
    type Row = Omit<LetterRow, 'input'> & { readonly input: LetterRow['input'] | null };
    const rows = await withClient(this.database, (client) => execute<Row>(client, UNMIRRORED, [limit]));
    const messages: DeadLetterMessage[] = [];
    for (const row of rows) {
      const { payload, ...view } = await letterViewOf({ ...row, input: row.input ?? {} }, this.pipelines);
      const fits = row.input !== null && Buffer.byteLength(JSON.stringify(payload)) <= MAX_MIRRORED_BYTES;
      messages.push({ ...view, run: row.run, ...(fits && { payload }) });
    }
    return messages;
  }

  /** They are in the stream. */
  async mark(ids: readonly string[]): Promise<void> {
    await withClient(this.database, (client) => execute(client, MARK, [ids]));
  }
}
