import type { PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { inputFaults } from '#shared/contracts/input-faults';
import { InvalidInput } from '#shared/domain/errors';

/** What the schema makes of the value. @throws InvalidInput with every fault */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new InvalidInput(inputFaults(parsed.error));
  return parsed.data;
}

/** Checks what a controller is given. */
export class SchemaPipe<S extends z.ZodType> implements PipeTransform<unknown, z.output<S>> {
  constructor(private readonly schema: S) {}

  transform(value: unknown): z.output<S> {
    return parseInput(this.schema, value);
  }
}

/** For calls without query parameters: any is refused. */
export const NO_PARAMETERS = new SchemaPipe(z.strictObject({}));
