import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadPipelineFile } from '#shared/runtime/pipeline-file';
import { describeFault, PipelineConfigError } from '#shared/runtime/pipeline-file/pipeline-config-error';
import type { CliContext } from '../cli-context';
import { EXIT } from '../exit-codes';
import { PIPELINES } from '../output/other-views';
import { counted } from '#shared/domain/words';
import { oneLine } from '../output/words';
import type { Session } from '../session';

const EXAMPLES = `
Examples:
  $ sluice config check                       pipeline_config.yml here, or the file that SLUICE_CONFIG names
  $ sluice config check other.yml
  $ sluice config check other.yml -o json     faults with file, line, key, expected, found

It ends with 0 when the file is right and 2 when it is not. No gateway is needed.`;

export function addConfig(parent: Command, context: CliContext): void {
  const config = parent.command('config').summary('check pipeline files').description('Works with pipeline files.');
  const command = config
    .command('check')
    .summary('say whether a pipeline file is right')
    .description('Checks a pipeline file as the services do when they start, and names every fault.')
    .argument('[file]', 'the file')
    .addHelpText('after', EXAMPLES);
  command.action((file: string | undefined) => context.act(command, (session) => check(session, file)));
}

async function check({ io, printer }: Session, argument: string | undefined): Promise<number> {
  const file = argument ?? (io.env['SLUICE_CONFIG'] || 'pipeline_config.yml');
  try {
    const catalog = await loadPipelineFile(resolve(io.cwd, file)).catch((error: unknown) => {
      throw error instanceof PipelineConfigError ? error.calledAs(file) : error;
    });
    const pipelines = [...catalog.pipelines.values()];
    printer.list(pipelines, PIPELINES, { file, ok: true, faults: [], pipelines: pipelines.map(({ name }) => name) });
    printer.say(`${oneLine(file)} is right: ${counted(pipelines.length, 'pipeline')}.`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof PipelineConfigError)) throw error;
    if (printer.format === 'json')
      printer.one({ file, ok: false, faults: error.faults }, { columns: [], id: () => file });
    else if (printer.format === 'jsonl') error.faults.forEach((fault) => printer.line(fault));
    else error.faults.forEach((fault) => printer.say(oneLine(describeFault(fault))));
    return EXIT.usage;
  }
}
