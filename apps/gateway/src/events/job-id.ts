import { NotFound } from '#shared/domain/errors';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The id in the form in which the store and the subjects have it; null: no job can have it. */
export function jobIdOf(text: string): string | null {
  const id = text.toLowerCase();
  return UUID.test(id) ? id : null;
}

/** What was asked for is no job. @param id as it was asked for, however long */
export const noSuchJob = (id: string): NotFound => new NotFound('job', id.slice(0, 100));
