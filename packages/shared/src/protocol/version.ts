/** Versions of the message protocols that this build speaks; both ends take the highest they share. */
export const protocolVersions = { min: 8, max: 8 } as const;
