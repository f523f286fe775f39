import ignore, { type Ignore } from 'ignore';
import { patternProblem } from '#shared/contracts/handlers/ignore-patterns';

/** More lines than this in one file are not read. */
const MAX_LINES = 5_000;

/** Which paths the .gitignore files from the root down to one directory leave out, as git decides it. */
export class GitignoreRules {
  private constructor(private readonly rules: Ignore) {}

  static readonly none = new GitignoreRules(newRules());

  /**
   * These rules and those of a .gitignore file in `directory`, which come last and so decide.
   * @param directory path from the root, '' for the root itself
   * @param onUnused is told of each line that is not used, with why
   */
  with(directory: string, content: string, onUnused: (line: string, why: string) => void): GitignoreRules {
    const lines = content.replace(/^\uFEFF/, '').split(/\r?\n/);
    const [beyond] = lines.slice(MAX_LINES);
    if (beyond !== undefined) onUnused(beyond, `is beyond line ${MAX_LINES}`);
    const patterns: string[] = [];
    for (const line of lines.slice(0, MAX_LINES)) {
      const problem = patternProblem(line);
      if (problem === null) patterns.push(directory === '' ? line : below(directory, line));
      else onUnused(line, problem);
    }
    return new GitignoreRules(newRules().add(this.rules).add(patterns));
  }

  /**
   * A test for the entries of one directory; paths are from the root. The library remembers each path that it has
   * tested, so every directory gets a test of its own, or memory would grow with the tree.
   */
  tester(): (path: string, isDirectory: boolean) => boolean {
    const rules = newRules().add(this.rules);
    return (path, isDirectory) => rules.ignores(isDirectory ? `${path}/` : path);
  }
}

function newRules(): Ignore {
  return ignore({ ignoreCase: false });
}

/** The pattern of a nested .gitignore as one of the root: a slash before its end anchors it to its directory. */
function below(directory: string, line: string): string {
  const negated = line.startsWith('!');
  const pattern = (negated ? line.slice(1) : line).replace(/(?<!\\) +$/, '');
  const rest = pattern.replace(/^\//, '');
  if (rest === '' || line.startsWith('#')) return '';
  const anchored = pattern.slice(0, -1).includes('/');
  const place = directory.replace(/[\\*?[\]!# ]/g, '\\$&');
  return `${negated ? '!' : ''}/${place}/${anchored ? '' : '**/'}${rest}`;
}
