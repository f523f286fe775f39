import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { type ServiceView, serviceView } from '#shared/contracts/fleet';

/** Of the launcher's file only this much is looked at: it also holds the database's address, with its password. */
const stackFile = z.object({ services: z.array(serviceView) });

/** The services that were started together with this gateway. */
export class ServiceList {
  /** @param path the file in which `npm start` says what it runs; null: started alone */
  constructor(private readonly path: string | null) {}

  /** Empty when this gateway was not started by `npm start`. */
  async list(): Promise<ServiceView[]> {
    if (this.path === null) return [];
    return stackFile.parse(JSON.parse(await readFile(this.path, 'utf8'))).services;
  }
}
