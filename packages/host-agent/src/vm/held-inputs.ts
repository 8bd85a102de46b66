/** Inputs that come while the machine stands still: its state may be on its way to another host. */
import type { Machine, MachineInput } from '@skein/machine';

const inputsMax = 64;

export class HeldInputs {
  readonly #inputs: MachineInput[] = [];

  /** One too many is lost. */
  hold(input: MachineInput): void {
    if (this.#inputs.length < inputsMax) this.#inputs.push(input);
  }

  /** The machine goes on, and has them in their order. */
  letGo(machine: Pick<Machine, 'apply'>): void {
    for (const input of this.#inputs.splice(0)) machine.apply(input);
  }
}
