/** A booted guest on two agents of a bed, typed at through its console. */
import { expect } from 'vitest';
import { AgentBed, type BedVm } from './agent-bed.ts';
import { until } from './until.ts';

export class BedGuest {
  readonly bed: AgentBed;
  readonly vm: BedVm;

  private constructor(bed: AgentBed, vm: BedVm) {
    this.bed = bed;
    this.vm = vm;
  }

  /** On h1, with h2 beside it. */
  static async start(): Promise<BedGuest> {
    const bed = await AgentBed.start(['h1', 'h2']);
    return new BedGuest(bed, await bed.bootVm('web1', 'h1', 1));
  }

  /** The host that it is not on. */
  get otherHost(): string {
    return this.vm.host === 'h1' ? 'h2' : 'h1';
  }

  /** Runs a command in the guest's shell; resolves with what it printed up to the mark. */
  async run(command: string, mark: RegExp, deadlineMs = 60_000): Promise<string> {
    const before = this.bed.console(this.vm).length;
    this.bed.type(this.vm, `${command}\n`);
    const printed = (): string => this.bed.console(this.vm).slice(before);
    await until(`${command} prints ${mark}`, () => mark.test(printed()), deadlineMs);
    return printed();
  }

  /** Answers only if the guest lives: its own arithmetic. */
  async expectAlive(): Promise<void> {
    const number = Math.floor(Math.random() * 1000);
    await this.run(`echo alive $((${number} + 1))`, new RegExp(`^alive ${number + 1}\\s*$`, 'm'));
  }

  /** Ends the dirtier; all of its 16 MiB must be what it wrote. */
  async expectVerified(): Promise<void> {
    const verdict = await this.run('killall dirtier', /dirtier: (verified|MISMATCH)[^\n]*\n/);
    expect(verdict).toMatch(/dirtier: verified 4096 pages/);
    expect(this.bed.console(this.vm)).not.toMatch(/MISMATCH/);
  }
}
