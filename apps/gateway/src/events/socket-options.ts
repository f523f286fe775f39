/** Clients say little; compression would cost memory for each of thousands of sockets. */
export const SOCKET_OPTIONS = { maxPayload: 65_536, perMessageDeflate: false } as const;
