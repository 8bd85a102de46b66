/** Versions of the message protocols that this build speaks; both ends take the highest they share. */
export const protocolVersions = { min: 6, max: 6 } as const;
