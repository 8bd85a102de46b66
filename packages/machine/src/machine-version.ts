/**
 * One number for all that a saved state of a machine means: its sections with their versions and the board they are of.
 * Two programs hand a running machine to each other only if they have the same. Whoever changes a section's version or
 * the board counts it up; machine-version.test.ts holds it against what is saved.
 */
export const machineVersion = 1;
