/** Versions of the message protocols that this build speaks; both ends take the highest they share. */
export const protocolVersions = { min: 7, max: 7 } as const;
