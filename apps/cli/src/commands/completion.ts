import { Argument, type Command } from 'commander';
import type { CliContext } from '../cli-context';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

const EXAMPLES = `
Examples:
  $ source <(sluice completion bash)                     for this shell; put it into ~/.bashrc for all
  $ source <(sluice completion zsh)                      ~/.zshrc
  $ sluice completion fish > ~/.config/fish/completions/sluice.fish`;

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .summary('print what makes a shell complete commands and options')
    .description('Prints a script by which a shell completes the commands and options of sluice.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => {
      context.io.stdout.write(completionScript(shell, wordsByCommand(program)));
    });
}

/** What may follow each command, by its words: `''` is the program itself. */
type WordsByCommand = ReadonlyMap<string, readonly string[]>;

function wordsByCommand(program: Command): WordsByCommand {
  const words = new Map<string, readonly string[]>();
  const globals = optionsOf(program).filter((flag) => flag !== '--version');
  const visit = (command: Command, path: readonly string[]): void => {
    const own = command === program ? ['--version'] : optionsOf(command);
    const names = command.commands.flatMap((sub) => [sub.name(), ...sub.aliases()]);
    words.set(path.join(' '), [...names, ...own, ...globals, '--help']);
    for (const sub of command.commands) {
      for (const name of [sub.name(), ...sub.aliases()]) visit(sub, [...path, name]);
    }
  };
  visit(program, []);
  return words;
}

const optionsOf = (command: Command): string[] => command.options.flatMap(({ long }) => long ?? []);

function completionScript(shell: Shell, words: WordsByCommand): string {
  switch (shell) {
    case 'bash':
      return bashScript(words);
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(words)}`;
    case 'fish':
      return fishScript(words);
  }
}

/** The words before the cursor are followed as far as they are commands; options and arguments are passed over. */
function bashScript(words: WordsByCommand): string {
  const commands = [...words.keys()].filter((path) => path !== '').map((path) => `" ${path}"`);
  const replies = [...words].map(([path, next]) => `    "${path && ` ${path}`}") words="${next.join(' ')}" ;;`);
  return `_sluice() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$path \${COMP_WORDS[index]}" in
      ${commands.join(' | ')}) path="$path \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$path" in
${replies.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sluice sluice
`;
}

function fishScript(words: WordsByCommand): string {
  const lines = [...words].flatMap(([path, next]) => {
    const seen = path.split(' ').filter((word) => word !== '');
    const isHere = seen.map((word) => `__fish_seen_subcommand_from ${word}`);
    const below = next.filter((word) => !word.startsWith('-'));
    const notBelow = below.length > 0 ? [`not __fish_seen_subcommand_from ${below.join(' ')}`] : [];
    const condition = [...isHere, ...notBelow].join('; and ') || 'true';
    return next.map((word) =>
      word.startsWith('--')
        ? `complete -c sluice -n '${condition}' -l ${word.slice(2)}`
        : `complete -c sluice -f -n '${condition}' -a ${word}`,
    );
  });
  return `${lines.join('\n')}\n`;
}
