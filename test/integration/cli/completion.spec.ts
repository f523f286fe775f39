import { execFileSync } from 'node:child_process';
import { sluice } from './terminal';

const script = async (shell: string): Promise<string> =>
  (await sluice('http://127.0.0.1:9', ['completion', shell])).out;

/** What bash offers for a line that ends at the cursor. */
async function offered(line: string): Promise<string[]> {
  const words = line.split(' ');
  const ask = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _sluice`;
  const text = execFileSync('bash', ['-c', `${await script('bash')}\n${ask}; printf '%s\\n' "\${COMPREPLY[@]}"`]);
  return text.toString().trim().split('\n');
}

test('bash completes commands, their commands and their options', async () => {
  expect(await offered('sluice ing')).toEqual(['ingest']);
  expect(await offered('sluice ingest st')).toEqual(['start', 'status', 'stop']);
  expect(await offered('sluice ingest start . --ti')).toEqual(['--timeout']);
  expect(await offered('sluice ingest stop x --wa')).toEqual(['--wait']);
  expect(await offered('sluice dead')).toEqual(['dead-letters']);
  expect(await offered('sluice dead-letters ')).toEqual(expect.arrayContaining(['list', 'redrive']));
  expect(await offered('sluice dead-letters redrive --dr')).toEqual(['--dry-run']);
  expect(await offered('sluice sched')).toEqual(['schedules']);
  expect(await offered('sluice schedules ')).toEqual(
    expect.arrayContaining(['list', 'show', 'create', 'update', 'delete', 'run']),
  );
  expect(await offered('sluice schedules create . --ti')).toEqual(['--timezone']);
  expect(await offered('sluice ingest jobs --sta')).toEqual(['--status']);
  expect(await offered('sluice -o json config ch')).toEqual(['check']);
  expect(await offered('sluice search --out')).toEqual(['--output']);
});

test('zsh takes the script of bash', async () => {
  expect(await script('zsh')).toBe(`autoload -U +X bashcompinit && bashcompinit\n${await script('bash')}`);
});

test('fish has a line for each word', async () => {
  const lines = (await script('fish')).split('\n');
  expect(lines).toContain(
    "complete -c sluice -f -n '__fish_seen_subcommand_from ingest; and not __fish_seen_subcommand_from start status jobs cancel stop retry reschedule attempts logs delete' -a start",
  );
  expect(lines).toContain(
    "complete -c sluice -n '__fish_seen_subcommand_from ingest; and __fish_seen_subcommand_from start' -l timeout",
  );
});

test('another shell is a usage error', async () => {
  const { code, err } = await sluice('http://127.0.0.1:9', ['completion', 'tcsh']);
  expect([code, err]).toEqual([2, expect.stringContaining('bash, zsh, fish') as string]);
});
