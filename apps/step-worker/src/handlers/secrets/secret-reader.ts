import { readFile } from 'node:fs/promises';
import type { TextOrSecret } from '#shared/contracts/handlers/text-or-secret';
import { PermanentError } from '#shared/domain/step-errors';

/** Finds the secrets that options refer to, when a step runs: nothing but the reference is stored or sent anywhere. */
export class SecretReader {
  /** @param env of the worker */
  constructor(private readonly env: NodeJS.ProcessEnv) {}

  /**
   * Texts by name with each reference replaced by what it refers to.
   * @returns also the secrets that were read, so that they can be hidden
   * @throws PermanentError naming the variable that is to be set on the worker
   */
  async resolve(
    texts: Readonly<Record<string, TextOrSecret>>,
  ): Promise<{ values: Record<string, string>; secrets: string[] }> {
    const values: Record<string, string> = {};
    const secrets: string[] = [];
    for (const [name, text] of Object.entries(texts)) {
      const value = typeof text === 'string' ? text : await this.read(text.secret);
      if (typeof text !== 'string') secrets.push(value);
      values[name] = value;
    }
    return { values, secrets };
  }

  private async read(name: string): Promise<string> {
    const value = this.env[name];
    if (value !== undefined && value !== '') return value;
    const path = this.env[`${name}_FILE`];
    if (path === undefined || path === '') {
      const remedy = `set the environment variable ${name} on this worker, or ${name}_FILE to a file that holds it`;
      throw new PermanentError(`the secret ${name} is missing: ${remedy}`, 'secret_missing');
    }
    return this.readFile(name, path);
  }

  private async readFile(name: string, path: string): Promise<string> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      const why = String((error as NodeJS.ErrnoException).code);
      throw new PermanentError(
        `the secret ${name} is missing: the file that ${name}_FILE names on this worker cannot be read (${why})`,
        'secret_missing',
      );
    }
    const value = text.replace(/\r?\n$/, '');
    if (value !== '') return value;
    throw new PermanentError(
      `the secret ${name} is missing: the file that ${name}_FILE names on this worker is empty`,
      'secret_missing',
    );
  }
}
