/** Versions of the message protocols that this build speaks; both ends take the highest they share. */
export const protocolVersions = { min: 4, max: 4 } as const;
