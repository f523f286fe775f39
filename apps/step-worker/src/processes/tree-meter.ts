import type { OwnFigures } from './own-figures';
import {
  collectedCpuMs,
  commandLineText,
  existsInProc,
  peakResidentBytes,
  type ProcessRow,
  readProcess,
  readProcTable,
  readPsTable,
} from './process-table';

/** A program that has just begun is soon another: the starting shell becomes it. */
const FIRST_LOOK_MS = 20;
const LOOK_MS = 150;
/** `ps` is a process itself. */
const PS_LOOK_MS = 1_000;
/** Looking takes at most this share of the time, however many processes the machine has. */
const LOOK_SHARE = 0.05;
const MAX_PEAKS_ASKED = 16;

/** One tree of processes that is measured. */
export interface TreeWatch {
  /** Looks at it now, e.g. before it is killed. */
  readonly look: () => void;
  /** What it used. To be called as soon as its first process has ended. */
  readonly end: () => OwnFigures;
}

interface Tree {
  /** Leads the session and the group. */
  readonly leader: number;
  guard: number | undefined;
  wasSeen: boolean;
  cpuMs: number;
  residentBytes: number;
}

/**
 * Measures trees of processes that this process has started, each in a session of its own: one look at the table of
 * processes serves all of them.
 *
 * Memory is the most that the looks have seen (pages that processes share count in each), or the peak that the system
 * remembers of any one of them. CPU is what the looks have seen, or, where that is more, what the system says of
 * children that were collected: exact also for programs that are over before anybody looks.
 */
export class TreeMeter {
  private readonly trees = new Set<Tree>();
  private timer: NodeJS.Timeout | undefined;
  private collectedMs: number;
  /**
   * Memory of the shell that every program has been for a moment, as the guards, which are such shells, show: the least
   * that one had that was over before the first look.
   */
  private shellBytes = 0;

  constructor(private readonly platform: NodeJS.Platform = process.platform) {
    this.collectedMs = this.hasProc ? collectedCpuMs() : 0;
  }

  /** Begins to measure. @param leader the pid of a child that leads its own session */
  watch(leader: number): TreeWatch {
    const tree: Tree = { leader, guard: undefined, wasSeen: false, cpuMs: 0, residentBytes: 0 };
    this.trees.add(tree);
    const look = (): void => void this.look([tree]);
    // All of it so far is the leader: a whole look would cost more than a small program does.
    if (this.hasProc) tree.residentBytes = readProcess(leader)?.residentBytes ?? 0;
    // It is over already, and its guard still there.
    if (tree.residentBytes === 0 && this.shellBytes === 0) look();
    this.schedule(FIRST_LOOK_MS);
    return { look, end: () => this.end(tree) };
  }

  private get hasProc(): boolean {
    return this.platform === 'linux';
  }

  private schedule(inMs: number): void {
    if (this.timer || this.trees.size === 0) return;
    const timer = setTimeout(() => {
      const startedAtMs = performance.now();
      void this.look([...this.trees]).finally(() => {
        if (this.timer === timer) this.timer = undefined;
        const tookMs = performance.now() - startedAtMs;
        this.schedule(Math.max(this.hasProc ? LOOK_MS : PS_LOOK_MS, tookMs / LOOK_SHARE));
      });
    }, inMs).unref();
    this.timer = timer;
  }

  /** At once where there is /proc; otherwise when `ps` has answered. Never rejects. */
  private async look(trees: readonly Tree[]): Promise<void> {
    if (trees.length === 0) return;
    try {
      const table = new Families(this.hasProc ? readProcTable() : await readPsTable());
      for (const tree of trees) this.lookAt(tree, table);
    } catch {
      // The next look may see more.
    }
  }

  private lookAt(tree: Tree, table: Families): void {
    const rows = table.treeOf(tree.leader).filter((row) => !this.isGuard(tree, row, table));
    const peaks = this.hasProc ? rows.slice(0, MAX_PEAKS_ASKED).map((row) => peakResidentBytes(row.pid)) : [];
    const resident = rows.reduce((sum, row) => sum + row.residentBytes, 0);
    const cpuMs = rows.reduce((sum, row) => sum + row.cpuMs, 0);
    tree.wasSeen ||= resident > 0;
    tree.cpuMs = Math.max(tree.cpuMs, cpuMs);
    tree.residentBytes = Math.max(tree.residentBytes, resident, ...peaks);
  }

  /** The guard of the group (see guardian.ts) and what it runs are none of the program's doing. */
  private isGuard(tree: Tree, row: ProcessRow, table: Families): boolean {
    if (!this.hasProc || row.group !== tree.leader || table.descendsFrom(row, tree.leader)) return false;
    if (tree.guard === undefined && commandLineText(row.pid).includes('sluice-guardian')) tree.guard = row.pid;
    if (row.pid === tree.guard) this.shellBytes = Math.max(this.shellBytes, row.residentBytes);
    return row.pid === tree.guard || row.parent === tree.guard;
  }

  private end(tree: Tree): OwnFigures {
    if (!tree.wasSeen) tree.residentBytes = Math.max(tree.residentBytes, this.shellBytes);
    this.trees.delete(tree);
    if (this.trees.size === 0) {
      clearTimeout(this.timer);
      this.timer = undefined;
    }
    const cpuMs = this.hasProc ? Math.max(tree.cpuMs, this.takeCollected(tree)) : tree.cpuMs;
    return { cpuMs, memoryMb: Math.round((tree.residentBytes / 1_048_576) * 10) / 10 };
  }

  /**
   * This tree's part of the CPU time that the system has added to this process's children since the last end. Several
   * may have been collected at once: then each gets what was seen of it and an equal part of the rest.
   */
  private takeCollected(tree: Tree): number {
    const addedMs = Math.max(0, collectedCpuMs() - this.collectedMs);
    const waiting = [...this.trees].filter((other) => !existsInProc(other.leader));
    const seenMs = [tree, ...waiting].reduce((sum, { cpuMs }) => sum + cpuMs, 0);
    const partMs = waiting.length === 0 ? addedMs : tree.cpuMs + Math.max(0, addedMs - seenMs) / (waiting.length + 1);
    const ownMs = Math.min(partMs, addedMs);
    this.collectedMs += ownMs;
    return ownMs;
  }
}

/** A table of processes by parent and by session. */
class Families {
  private readonly byPid = new Map<number, ProcessRow>();
  private readonly byParent = new Map<number, ProcessRow[]>();
  private readonly members = new Map<number, ProcessRow[]>();

  constructor(rows: readonly ProcessRow[]) {
    for (const row of rows) {
      this.byPid.set(row.pid, row);
      add(this.byParent, row.parent, row);
      add(this.members, row.session === 0 ? row.group : row.session, row);
    }
  }

  /** The process, all of its session, and all that descend from these. */
  treeOf(leader: number): ProcessRow[] {
    const own = this.byPid.get(leader);
    const found = new Set<ProcessRow>([...(own ? [own] : []), ...(this.members.get(leader) ?? [])]);
    for (const row of found) for (const child of this.byParent.get(row.pid) ?? []) found.add(child);
    return [...found];
  }

  descendsFrom(row: ProcessRow, ancestor: number): boolean {
    const seen = new Set<number>();
    for (let at: ProcessRow | undefined = row; at && !seen.has(at.pid); at = this.byPid.get(at.parent)) {
      if (at.pid === ancestor) return true;
      seen.add(at.pid);
    }
    return false;
  }
}

function add(map: Map<number, ProcessRow[]>, key: number, row: ProcessRow): void {
  const rows = map.get(key);
  if (rows) rows.push(row);
  else map.set(key, [row]);
}
